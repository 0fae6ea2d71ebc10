"""The page of misread images: order, marks, and nothing in it that a label or file could add."""

import io
import re
from html.parser import HTMLParser

import numpy as np
from PIL import Image

from ocrkit.results import misread
from ocrkit.results.misread import Misread, misread_page


def picture(grey: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((20, 2000), grey, np.uint8)).save(out, "PNG")
    return out.getvalue()


def one(read: str, true: str, where: str = "valid, image 3") -> Misread:
    return Misread(where, picture(9), read, true)


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, attrs))


def test_the_worst_comes_first_and_what_differs_is_marked():
    page = misread_page("m", [one("가나다", "가나라"), one("x", "하늘"), one("가라", "가나라")], 9)
    assert "3 of 9 images misread" in page
    found = re.findall(r'<p class="text">(.*?)</p><p class="text">(.*?)</p><td>(.*?)</tr>', page)
    assert found == [
        ("<mark>하</mark><mark>늘</mark>", "<mark>x</mark>", "2 of 2"),
        ("가나<mark>라</mark>", "가나<mark>다</mark>", "1 of 3"),
        ("가<mark>나</mark>라", "가라", "1 of 3"),
    ]


def test_labels_and_names_stay_text():
    bad = "<script>alert(1)</script>\"'&"
    page = misread_page(bad, [one(bad, f"가{bad}", f"{bad}.png"), one("", "가")], 2)
    tags = Tags(page).tags
    assert "script" not in {tag for tag, _ in tags}
    allowed = {"html", "meta", "title", "style", "h1", "p", "table", "tr", "th", "td", "img", "br"}
    assert {tag for tag, _ in tags} <= allowed | {"small", "mark"}
    assert "(nothing)" in page


def test_the_page_needs_no_other_file_and_shows_the_pixels():
    page = misread_page("m", [one("가", "나")], 1)
    sources = [dict(attrs)["src"] for tag, attrs in Tags(page).tags if tag == "img"]
    (source,) = sources
    assert source.startswith("data:image/png;base64,")
    assert "http" not in page
    assert "url(" not in page


def test_only_so_many_are_shown(monkeypatch):
    monkeypatch.setattr(misread, "MOST", 2)
    page = misread_page("m", [one("가" * n, "") for n in (1, 2, 3)], 5)
    assert "3 of 5 images misread, of which the worst 2 are shown" in page
    assert page.count("<img") == 2
