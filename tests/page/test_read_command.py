"""`ocrkit read`: pages by the kit's reader; one bad file stops nobody."""

import json
import os
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pypdfium2 as pdfium
import pytest
from PIL import Image
from stand_in import StandIn

from ocrkit.page.synthetic import draw_page


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder with a page, two pages in a TIFF, a blank page, and what is no picture."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ocrkit.reader.load_reader", lambda path=None: StandIn("가나 다라"))
    page = Image.fromarray(draw_page("receipt").image)
    page.save("page.png")
    page.save("two.tiff", save_all=True, append_images=[page])
    Image.new("L", (200, 200), 255).save("blank.png")
    Path("broken[1].png").write_bytes(b"no picture")
    return tmp_path


def test_a_page_is_printed_as_plain_text(here, ocrkit):
    code, text, complaint = ocrkit("read", "page.png")
    assert (code, complaint) == (0, "")
    assert set(text.splitlines()) == {"가나 다라"}
    assert len(text.splitlines()) >= 10


def test_one_bad_file_stops_nobody(here, ocrkit):
    code, text, complaint = ocrkit("read", "broken[1].png", "two.tiff", "gone.pdf", "page.png")
    assert code == 1
    heads = [line for line in text.splitlines() if line.startswith("==>")]
    assert heads == ["==> two.tiff, page 1 <==", "==> two.tiff, page 2 <==", "==> page.png <=="]
    broken, gone = complaint.splitlines()
    assert broken.startswith("broken[1].png: the image does not decode")
    assert gone == "gone.pdf is missing"


def test_a_page_that_breaks_leaves_the_other_pages(here, ocrkit, monkeypatch):
    from ocrkit.errors import OcrkitError
    from ocrkit.page import PageFile

    whole = PageFile.page

    def page(self, index):
        if index == 0:
            raise OcrkitError(f"{self.named(index)}: torn")
        return whole(self, index)

    monkeypatch.setattr(PageFile, "page", page)
    code, text, complaint = ocrkit("read", "two.tiff", "--json")
    assert code == 1
    assert complaint == "two.tiff, page 1: torn\n"
    assert [page["page"] for page in json.loads(text)["pages"]] == [2]


def test_an_empty_page_gives_empty_text_and_says_so(here, ocrkit):
    code, text, complaint = ocrkit("read", "blank.png")
    assert (code, text) == (0, "")
    assert complaint == "blank.png: no text found\n"


def test_json_is_one_line_a_file(here, ocrkit):
    code, text, _ = ocrkit("read", "page.png", "two.tiff", "--json")
    assert code == 0
    one, two = map(json.loads, text.splitlines())
    assert (one["file"], len(one["pages"])) == ("page.png", 1)
    assert [page["page"] for page in two["pages"]] == [1, 2]
    word = one["pages"][0]["lines"][0]["words"][0]
    assert word["text"] == "가나"
    assert len(word["box"]) == 4


def test_files_are_written_into_a_folder(here, ocrkit):
    code, text, complaint = ocrkit(
        "read", "page.png", "two.tiff", "--json", "--hocr", "--pdf", "--out", "read"
    )
    assert (code, text) == (0, "")
    kinds = ("hocr", "json", "pdf")
    wanted = {f"{name}.ocr.{kind}" for name in ("page", "two") for kind in kinds}
    assert {path.name for path in Path("read").iterdir()} == wanted
    assert len(complaint.splitlines()) == len(wanted)
    document = pdfium.PdfDocument("read/two.ocr.pdf")
    assert len(document) == 2
    document.close()


def test_a_name_that_is_no_unicode_is_read_and_written(here, ocrkit):
    name = os.fsdecode(b"\xb0\xa1.png")
    shutil.copy("page.png", name)
    code, text, _ = ocrkit("read", name, "--json")
    assert (code, json.loads(text)["file"]) == (0, r"\udcb0\udca1.png")
    code, _, complaint = ocrkit("read", name, "--json", "--hocr", "--pdf", "--out", "read")
    assert (code, len(list(Path("read").iterdir()))) == (0, 3), complaint


def test_a_control_character_in_a_name_breaks_no_document(here, ocrkit):
    shutil.copy("page.png", "a\x01b\n.png")
    for out in ((), ("--out", "read")):
        code, text, _ = ocrkit("read", "a\x01b\n.png", "--hocr", *out)
        assert code == 0
        text = text or Path("read/a\x01b\n.ocr.hocr").read_text(encoding="utf-8")
        (page,) = ElementTree.fromstring(text).iterfind(".//*[@class='ocr_page']")
        assert page.get("title", "").startswith(r'image "a\x01b\n.png"; ')


def test_what_was_written_into_a_folder_is_not_read_with_it(here, ocrkit):
    Path("scans").mkdir()
    shutil.copy("page.png", "scans")
    for _ in range(2):
        code, _, complaint = ocrkit("read", "scans", "--pdf", "--out", "scans")
        assert (code, complaint) == (0, "wrote scans/page.ocr.pdf\n")
    assert ocrkit("read", "scans/page.ocr.pdf")[0] == 0  # by its name it is
    Path("scans/page.png").unlink()
    code, _, complaint = ocrkit("read", "scans")
    assert (code, complaint.count("scans holds no picture and no PDF")) == (1, 1)


@pytest.mark.parametrize("kind", [(), ("--pdf",)])
def test_a_folder_that_cannot_be_written_is_found_out_before_reading(here, ocrkit, kind):
    code, text, complaint = ocrkit("read", "page.png", "gone.png", "--out", "blank.png", *kind)
    assert (code, text) == (1, "")
    assert complaint == "ocrkit: cannot write blank.png: File exists\n"


def test_a_pipe_is_refused_and_not_waited_for(here, ocrkit):
    os.mkfifo("pipe")
    code, _, complaint = ocrkit("read", "pipe")
    assert (code, complaint) == (1, "pipe is a device or a pipe: give an ordinary file\n")


def test_hocr_of_several_files_is_one_document(here, ocrkit):
    code, text, _ = ocrkit("read", "page.png", "two.tiff", "--hocr")
    assert code == 0
    assert text.count("<html") == 1
    assert text.count('class="ocr_page"') == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("m.safetensors", "page.png"), "write ocrkit read --checkpoint m.safetensors IMAGE..."),
        (("m", "page.png"), "m is a checkpoint: write ocrkit read --checkpoint m IMAGE..."),
        (("page.png", "--json", "--hocr"), "need a folder: --out FOLDER"),
        (("page.png", "--force"), "is for models that read single lines: --checkpoint"),
        (("page.png", "--checkpoint", "m", "--pdf"), "this checkpoint reads lines"),
        (("page.png", "x/page.jpg", "--pdf"), "2 files are called page: read them in several"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_code_2(here, ocrkit, words, said):
    Path("m.safetensors").touch()
    code, text, complaint = ocrkit("read", *words)
    assert (code, text) == (2, "")
    assert said in complaint
    assert len(complaint.splitlines()) == 1


def test_the_weights_of_another_line_reader_can_be_given(here, ocrkit, monkeypatch):
    given = []
    monkeypatch.setattr(
        "ocrkit.reader.load_reader", lambda path=None: given.append(path) or StandIn("가나")
    )
    Path("mine.json").write_text('{"signs": "abc"}', encoding="utf-8")
    code, text, _ = ocrkit("read", "page.png", "--checkpoint", "mine")
    assert code == 0
    assert set(text.splitlines()) == {"가나"}
    assert given == [Path("mine")]
