"""The dot printer's lines: always the same, and no word of one set in another."""

import dot_printer

from ocrkit.data.store import ImageSet


def test_the_lines_are_the_same_each_time_and_share_no_word(tmp_path):
    for name in "ab":
        dot_printer.draw(tmp_path / name, {"train": 4, "valid": 2, "test": 2})
    sets = [
        [ImageSet(tmp_path / name / part) for part in ("train", "valid", "test")] for name in "ab"
    ]
    assert [one.fingerprint() for one in sets[0]] == [one.fingerprint() for one in sets[1]]
    train, *others = ({w for t in one.texts() for w in t.split()} for one in sets[0])
    assert not train & {w for other in others for w in other if not w.endswith("원")}
    assert sets[0][0].image(0).height == 16 * 4 + 12
