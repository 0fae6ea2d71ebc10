"""Committed files are found in a clone; from a wheel: see test_packaging."""

import ocrkit.resources
from ocrkit.resources import resource


def test_a_clone_has_words_and_the_papers_record():
    assert resource("words", "everyday.txt").is_file()
    assert resource("published").is_dir()
    assert resource("published", "charset_972.txt").read_text(encoding="utf-8").startswith("가")


def test_a_missing_file_says_what_to_do(refused):
    with refused(r"published/nothing\.csv is missing: .* install it again"):
        resource("published", "nothing.csv")


def test_a_wheel_carries_what_no_clone_has(tmp_path, monkeypatch):
    clone, wheel = tmp_path / "data", tmp_path / "ocrkit" / "_data"
    for folder, text in ((clone, "clone"), (wheel, "wheel")):
        folder.mkdir(parents=True)
        (folder / "a.txt").write_text(text)
    (wheel / "b.txt").write_text("wheel")
    monkeypatch.setattr(ocrkit.resources, "_ROOTS", (clone, wheel))
    assert resource("a.txt").read_text() == "clone"
    assert resource("b.txt").read_text() == "wheel"
