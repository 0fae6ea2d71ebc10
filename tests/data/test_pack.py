"""A user's folder becomes a set: every way a GT file comes, and every line that cannot be used."""

import codecs
import json
import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import encoded, flat, picture

from ocrkit.data import pack as packing
from ocrkit.data.pack import pack
from ocrkit.data.store import ImageSet
from ocrkit.data.truth import read_truth
from ocrkit.errors import OcrkitError


@pytest.fixture
def folder(tmp_path) -> Path:
    """images/ with a.png, b.png, c.jpg and sub/d.png, each another picture."""
    root = tmp_path / "images"
    (root / "sub").mkdir(parents=True)
    for seed, name in enumerate(("a.png", "b.png", "c.jpg", "sub/d.png")):
        kind = "JPEG" if name.endswith("jpg") else "PNG"
        (root / name).write_bytes(picture(seed, kind=kind))
    return root


@pytest.fixture
def made(folder, tmp_path):
    """Pack a GT text (or bytes) over the folder; returns what was written and the texts."""

    def make(gt: str | bytes):
        path = tmp_path / "GT.tsv"
        path.write_bytes(gt if isinstance(gt, bytes) else gt.encode())
        done = pack(path, folder, tmp_path / "set")
        return done, ImageSet(tmp_path / "set").texts()

    return make


PLAIN = "a.png\t한글 문장\nb.png\t나라\nsub/d.png\t다,라\n"
TEXTS = ["한글 문장", "나라", "다,라"]


@pytest.mark.parametrize(
    "gt",
    [
        PLAIN,
        "file\tlabel\n" + PLAIN,
        "파일명\t정답\n" + PLAIN,
        PLAIN.replace("\t", " "),
        'a.png, "한글 문장"\nb.png, "나라"\nsub/d.png, "다,라"\n',  # ICDAR's word lists
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        "\n\n" + PLAIN.replace("\n", "\n\n") + "  \n",
        PLAIN.rstrip("\n"),
        PLAIN.replace("/", "\\"),
        "label\tkind\tfile\n한글 문장\tbasic\ta.png\n나라\tbasic\tb.png\n다,라\tskew\tsub/d.png\n",
        unicodedata.normalize("NFD", PLAIN),
        "filename,words\n" + PLAIN.replace("\t", ","),  # EasyOCR's own: no quotes
        'filename,words\na.png,한글 문장\n"b.png",나라\nsub/d.png,"다,라"\n',  # a spreadsheet's
        '"words","filename"\n"한글 문장","a.png"\n"나라","b.png"\n"다,라","sub/d.png"\n',
        'id,filename,words\n1,a.png,한글 문장\n2,b.png,나라\n3,sub/d.png,"다,라"\n',
        "images/" + PLAIN.replace("\n", "\nimages/", 2),  # PaddleOCR's: from the data root
        codecs.BOM_UTF8 + PLAIN.encode(),
        codecs.BOM_UTF8 + ("file\tlabel\n" + PLAIN).encode(),
        PLAIN.encode("cp949"),
        PLAIN.encode("utf-16"),
    ],
)
def test_every_way_to_write_a_gt_file_gives_the_same_set(made, gt):
    done, texts = made(gt)
    assert texts == TEXTS
    assert (done.count, done.refused) == (3, [])


@pytest.mark.parametrize(
    ("gt", "labels"),
    [
        ('a.png\t가나\nb.png\t"3,500원"\nc.jpg\t"그는 ""예"""', ["가나", "3,500원", '그는 "예"']),
        ('file\tlabel\na.png\t"가나"\nb.png\t"다,라"', ["가나", "다,라"]),  # all cells
        ('a.png\t"가나"\nb.png\t3,500원', ['"가나"', "3,500원"]),
        ('a.png\t"가나"\nb.png\t다라', ['"가나"', "다라"]),
        ('a.png\t"가,나"\nb.png\t,다', ['"가,나"', ",다"]),
        ('a.png\t그는 "예"\nb.png\t다라', ['그는 "예"', "다라"]),
        ('filename,words\na.png,"그는 ""예"", 나"\nb.png,다', ['그는 "예", 나', "다"]),
        ('filename,words\na.png,"예"\nb.png,3,500원', ['"예"', "3,500원"]),
        ('a.png\t"\nb.png\t다"', ['"', '다"']),
    ],
)
def test_quotes_of_a_spreadsheet_go_and_those_of_the_text_stay(made, gt, labels):
    assert made(gt)[1] == labels


def test_bytes_go_in_as_they_are_and_the_manifest_tells(made, folder, tmp_path):
    done, _ = made(PLAIN)
    images = ImageSet(tmp_path / "set")
    assert images.image_bytes(2) == (folder / "sub" / "d.png").read_bytes()
    assert images.manifest["packed_from"] == "GT.tsv"
    assert images.manifest["refused"] == []
    assert images.fingerprint() == done.fingerprint


def test_a_label_that_goes_on_in_the_next_line_is_refused(made):
    done, texts = made('filename,words\na.png,"가\n나"\nb.png,다')
    assert texts == ["다"]
    first, second = done.refused
    assert first[0].split()[:2] == ["line", "2"]
    assert "a quote is opened and not closed" in first[1]
    assert second[0].split()[:2] == ["line", "3"]


@pytest.mark.parametrize(("on_disk", "in_gt"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_file_names_match_in_either_unicode_form(made, folder, on_disk, in_gt):
    (folder / "가방").mkdir()
    name = unicodedata.normalize(on_disk, "가방/사진 하나.png")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(picture(9))
    for divide in ("\t", " "):
        done, texts = made(f"{unicodedata.normalize(in_gt, '가방/사진 하나.png')}{divide}각\n")
        assert (done.refused, texts) == ([], ["각"])


def test_links_to_images_and_to_folders_are_followed(made, folder, tmp_path):
    elsewhere, name = tmp_path / "elsewhere", unicodedata.normalize("NFD", "가.png")
    elsewhere.mkdir()
    (elsewhere / name).write_bytes(picture(11))
    (folder / "link.png").symlink_to(elsewhere / name)
    (folder / "far").symlink_to(elsewhere)
    (folder / "round").symlink_to(folder)
    (folder / "dead.png").symlink_to(elsewhere / "gone.png")
    done, texts = made("link.png\t가\n")
    assert (done.refused, texts) == ([], ["가"])
    # Composed in the GT, decomposed on the disk, and reached through a link to a folder.
    done, texts = made("far/가.png\t나\ndead.png\t다\nround/a.png\t라\n")
    assert texts == ["나", "라"]
    assert done.refused == [
        ("line 2 (dead.png)", f"this link leads nowhere: dead.png below {folder}")
    ]


def test_what_cannot_be_used_is_named_with_its_line(made, folder, tmp_path):
    (folder / "broken.png").write_bytes(picture(5)[:60])
    (folder / "text.png").write_text("no picture")
    (folder / "empty.png").touch()
    (folder / "dot.png").write_bytes(picture(6, width=1, height=1))
    (folder / "copy.png").write_bytes((folder / "a.png").read_bytes())
    (folder / "blank.png").write_bytes(encoded(flat(255)))
    os.mkfifo(folder / "pipe.png")
    (tmp_path / "secret.png").write_bytes(picture(7))
    wrong = {
        "a.png\t가": "listed before, with the same label: line 1",
        "./a.png\t나": "listed before, with another label, '가': line 1",
        "copy.png\t가": "same picture came before, with the same label: line 1",
        "b.png\t": "label is empty",
        "b.png\t \u200b ": "label is empty",
        "gone.png\t가": "no such file: gone.png below",
        f"{'long' * 100}.png\t가": "no such file",
        "sub\t가": "this is a folder",
        "\t가": "names no file",
        "../secret.png\t가": "outside the images' folder",
        "/etc/passwd\t가": "outside the images' folder",
        "C:\\pictures\\a.png\t가": "outside the images' folder",
        "pipe.png\t가": "no such file",
        "broken.png\t가": "does not decode",
        "text.png\t가": "does not decode: this is no picture",
        "empty.png\t가": "image is empty",
        "dot.png\t가": "1 x 1 pixels",
        "blank.png\t가": "no contrast (greys from 255 to 255)",
        "b.png": "nothing divides file and label",
        "b.png,가": "commas divide only under a header",
        "b.png;가": "semicolons divide nothing",
        "b.png\t가\t나": "more than two columns",
        'b.png\t[{"transcription": "가", "points": [[0, 0]]}]': "a list of boxes",
    }
    done, texts = made("\n".join(["a.png\t가", *wrong, "b.png\t나"]))
    assert texts == ["가", "나"]
    assert len(done.refused) == len(wrong)
    for number, ((name, reason), expected) in enumerate(
        zip(done.refused, wrong.values(), strict=True), start=2
    ):
        assert name.split(" ")[:2] == ["line", str(number)]
        assert expected in reason
        assert len(f"{name}{reason}".splitlines()) == 1
    told = ImageSet(tmp_path / "set").manifest["refused"]
    assert [tuple(row) for row in told] == done.refused


def test_an_absolute_path_into_the_folder_is_found(made, folder):
    assert made(f"{folder.absolute()}/a.png\t가\n")[1] == ["가"]


def test_enormous_images_are_named(made, folder, monkeypatch):
    monkeypatch.setattr(packing, "MAX_BYTES", 500)
    (folder / "big.png").write_bytes(picture(3, 200, 200))
    done, texts = made("big.png\t가\na.png\t나\n")
    assert texts == ["나"]
    assert "enormous" in done.refused[0][1]
    monkeypatch.setattr("ocrkit.data.pictures.MAX_PIXELS", 100)
    monkeypatch.setattr(packing, "MAX_BYTES", 10**6)
    (folder / "tiny.png").write_bytes(picture(4, 8, 8))
    done, texts = made("big.png\t가\ntiny.png\t나\n")
    assert texts == ["나"]
    assert "enormous (200 x 200)" in done.refused[0][1]


def test_one_broken_line_does_not_turn_the_file_into_cp949(made):
    done, texts = made("a.png\t가나\n".encode() + b"c.jpg\t\xff\xfe\n" + "b.png\t나라\n".encode())
    assert texts == ["가나", "나라"]
    assert done.refused == [("line 2", "the line is broken text: save the file as UTF-8")]


def test_without_a_usable_line_there_is_one_clear_error(made, tmp_path, refused):
    made(PLAIN)
    before = ImageSet(tmp_path / "set").fingerprint()
    with refused(r"no usable line: 2 x no such file; 1 x the label is empty \(first: line 1"):
        made("x.png\t가\ny.png\t나\na.png\t\n")
    with refused(r"2 x nothing .* label \(commas divide only under a header: filename,words\)"):
        made("a.png,가\nb.png,나\n")
    with refused(r"no usable line. Write one line an image, file<TAB>label"):
        made("file\tlabel\n")
    with refused("is empty: write one line"):
        made(" \n\n")
    with refused("is no text file"):
        made(picture())
    with refused("broken UTF-16"):
        made(codecs.BOM_UTF16_LE + b"a\0b")
    assert ImageSet(tmp_path / "set").fingerprint() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["GT.tsv", "images", "set"]


def test_wrong_paths(folder, tmp_path, refused):
    gt = tmp_path / "GT.tsv"
    gt.write_text(PLAIN)
    with refused("gone.tsv is missing"):
        pack(tmp_path / "gone.tsv", folder, tmp_path / "set")
    with refused("images is a folder: give an ordinary file"):
        pack(folder, folder, tmp_path / "set")
    with refused("is no folder"):
        pack(gt, gt, tmp_path / "set")
    with refused("is a file: give a new folder"):
        pack(gt, folder, gt)
    for out in (folder, tmp_path):
        with refused("is not replaced, for it holds .*: give another folder"):
            pack(gt, folder, out)
    assert gt.read_text() == PLAIN
    assert (folder / "a.png").exists()


def test_stopped_in_the_middle_it_leaves_the_old_set(made, folder, tmp_path):
    made(PLAIN)

    def stop(done: int, lines: int) -> None:
        raise KeyboardInterrupt

    (tmp_path / "GT.tsv").write_text("a.png\t가\n")
    with pytest.raises(KeyboardInterrupt):
        pack(tmp_path / "GT.tsv", folder, tmp_path / "set", stop)
    assert ImageSet(tmp_path / "set").texts() == TEXTS
    assert not list(tmp_path.glob(".set*"))


def test_the_generator_s_own_table_reads(tmp_path):
    gt = tmp_path / "labels.tsv"
    gt.write_text("file\tlabel\tkind\tfont\n000000.jpg\t가 나\tbasic\tNanum\n", encoding="utf-8")
    (line,) = read_truth(gt)
    assert (line.number, line.file, line.label, line.wrong) == (2, "000000.jpg", "가 나", "")


WORD = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1)


@given(rows=st.lists(st.tuples(WORD, WORD), min_size=1, max_size=5))
def test_tab_separated_lines_come_back_composed(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("gt") / "GT.tsv"
    text = "file\tlabel\n" + "".join(f"{file}\t{label}\n" for file, label in rows)
    path.write_text(text, encoding="utf-8")
    read = [(line.file, line.label) for line in read_truth(path)]
    assert read == [(file, unicodedata.normalize("NFC", label)) for file, label in rows]


@given(raw=st.binary(max_size=80))
def test_hostile_bytes_are_lines_or_one_error(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("gt") / "GT.tsv"
    path.write_bytes(raw)
    try:
        lines = read_truth(path)
    except OcrkitError:
        return
    assert [line.number for line in lines] == sorted({line.number for line in lines})
    json.dumps([line.label for line in lines], ensure_ascii=False).encode("utf-8")
