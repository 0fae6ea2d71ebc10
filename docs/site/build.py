"""Build both editions as one static site, without network: `make site`.

English lies at the root of build/site/html, Korean under ko/. Each is a run of Sphinx over copies
of the repository's pages, whose links are turned into addresses of the site. At the end every link
of every page is followed.
"""

import argparse
import importlib.util
import os
import posixpath
import re
import shutil
import sys
from html.parser import HTMLParser
from itertools import groupby
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import yaml
from sphinx.cmd.build import build_main

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "notebooks"))
import korean  # noqa: E402 (a script there)

TEXTS = ["README.md", *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))]
TEXTS += ["CONTRIBUTING.md", "CHANGELOG.md"]
PARTS = {  # by the tens of the notebooks' numbers, in English and Korean
    "0": ("Start", "시작"),
    "1": ("Finding text", "문자탐지"),
    "2": ("Reading text", "문자인식"),
    "3": ("Finding and reading", "찾아 읽기"),
    "4": ("Data", "데이터"),
    "5": ("Stages", "단계"),
    "6": ("Training", "학습"),
    "7": ("Results", "결과"),
    "8": ("Pages", "페이지"),
    "9": ("Beyond the paper", "논문을 넘어"),
}
_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s:#]+)(#[^)\s]*)?\)")
_SOLUTIONS = re.compile(r"(?<!\[)`(solutions/\w+\.ipynb)`")


def addresses(numbers: list[str]) -> dict[str, str]:
    """The files that the site shows, and where: {"notebooks/ko/10_x.ipynb": "ko/10_x.html"}.

    Args:
        numbers: of the notebooks to show; all if there are none.
    """
    found = {path: path.replace(".md", ".html") for path in TEXTS}
    found |= {"README.md": "index.html", "README.ko.md": "ko/index.html"}
    translated = korean.find_translations(ROOT / "notebooks")
    for path in korean.find_notebooks(folder=ROOT / "notebooks"):
        if numbers and path.stem[:2] not in numbers:
            continue
        name = path.relative_to(ROOT / "notebooks").with_suffix("").as_posix()
        found[f"notebooks/{name}.ipynb"] = f"{name}.html"
        if path in translated:
            found[f"notebooks/ko/{name}.ipynb"] = f"ko/{name}.html"
    return found


def to_site(text: str, path: str, shown: dict[str, str], repository: str) -> str:
    """A page's text, the links that a file at `path` has as its page on the site has them.

    What the site does not show leads to the repository, or nowhere if its address is unknown.
    """
    here = posixpath.dirname(shown[path]) or "."

    def turned(link: re.Match[str]) -> str:
        words, target, part = link[1], link[2], link[3] or ""
        there = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if there in shown:
            return f"[{words}]({posixpath.relpath(shown[there], here)}{part})"
        return f"[{words}]({repository}/blob/main/{there}{part})" if repository else words

    return _LINK.sub(turned, _SOLUTIONS.sub(r"[`\1`](\1)", text))


def contents(pages: list[str], language: str) -> str:
    """The tree of an edition's pages, for its front page, in Sphinx's words."""
    trees = []
    lessons = [page for page in pages if re.match(r"\d\d_", page)]
    for part, members in groupby(lessons, key=lambda page: page[0]):
        trees.append((PARTS[part][language == "ko"], list(members)))
    trees.append(("Guides", [page for page in pages if re.match(r"docs/|C", page)]))
    solved = "풀이" if language == "ko" else "Solutions"
    trees.append((solved, [page for page in pages if page.startswith("solutions/")]))
    return "".join(
        "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", *members, "```", ""])
        for caption, members in trees
        if members
    )


def stage(folder: Path, language: str, shown: dict[str, str], repository: str) -> None:
    """Copy an edition's pages to `folder`, as Sphinx is to read them."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "figures", folder / "figures")
    ours = {p: a for p, a in shown.items() if a.startswith("ko/") == (language == "ko")}
    pages = {path: a.removeprefix("ko/").removesuffix(".html") for path, a in ours.items()}
    for path, page in pages.items():
        copy = folder / (page + Path(path).suffix)
        copy.parent.mkdir(exist_ok=True)
        if path.endswith(".md"):
            text = (ROOT / path).read_text(encoding="utf-8")
            text = to_site(text, path, shown, repository)
            text = text.replace("--depth 1 ADDRESS", f"--depth 1 {repository or 'ADDRESS'}")
            tree = contents(sorted(pages.values()), language) if page == "index" else ""
            copy.write_text(text + tree, encoding="utf-8")
            continue
        english = ROOT / path.replace("/ko/", "/")
        text = korean.page(english) if language == "ko" else english.read_text(encoding="utf-8")
        book = nbformat.reads(text, as_version=4)
        for cell in book.cells:
            if cell.cell_type == "markdown":
                cell.source = to_site(cell.source, path, shown, repository)
        nbformat.write(book, copy)


class Page(HTMLParser):
    """What a page names (anchors), leads to, and loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note a tag's anchor, its link, and the file that it loads."""
        given = {name: value or "" for name, value in attributes}
        self.anchors.add(given.get("id", ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif (tag == "link" and given.get("rel") == "stylesheet") or "src" in given:
            self.loads.append(given.get("src") or given["href"])


def broken(folder: Path) -> list[str]:
    """The links that lead nowhere, and what would have to be loaded from the network."""
    files = [path.resolve() for path in folder.rglob("*.html") if "_static" not in path.parts]
    pages = {path: Page(path) for path in files}
    found = []
    for path, page in pages.items():
        name = path.relative_to(folder.resolve())
        for link in [*page.links, *page.loads]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loads and parts.scheme != "data":
                    found.append(f"{name} loads {link}")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                found.append(f"{name} -> {link}")
                continue
            anchors = pages[target].anchors if target in pages else {unquote(parts.fragment)}
            if parts.fragment and unquote(parts.fragment) not in anchors:
                found.append(f"{name} -> {link}: no such part")
    return found


def copy_mathjax(folder: Path) -> None:
    """Put the part of MathJax that reads TeX into the site: 2.7 MB of 24."""
    (package,) = importlib.util.find_spec("sphinx-mathjax-offline").submodule_search_locations
    files = Path(package) / "static" / "mathjax"
    for part in ("input/tex/extensions", "output/chtml/fonts/woff-v2"):
        shutil.copytree(files / part, folder / part)
    shutil.copy(files / "tex-chtml.js", folder)


def build(out: Path, numbers: list[str], repository: str) -> list[str]:
    """Build the site at `out`/html; return what is wrong with it.

    Args:
        numbers: of the notebooks to show; all if there are none.
        repository: the address of the public repository; "" if there is none.
    """
    shown = addresses(numbers)
    korean_pages = [a[3:-5] for a in shown.values() if a.startswith("ko/")]
    shutil.rmtree(out / "html", ignore_errors=True)
    faults = []
    for language, place in (("en", "html"), ("ko", "html/ko")):
        source = out / f"source-{language}"
        stage(source, language, shown, repository)
        settings = {"language": language, "korean_pages": " ".join(korean_pages)}
        settings["repository"] = repository
        chosen = [word for pair in settings.items() for word in ("-D", "=".join(pair))]
        command = [
            "-q",
            "-b",
            "html",
            "-c",
            str(HERE),
            *chosen,
            "-d",
            str(out / f"cache-{language}"),
        ]
        if build_main([*command, str(source), str(out / place)]):
            faults.append(f"Sphinx could not build the edition {language!r}")
        copy_mathjax(out / place / "_static" / "mathjax")
    shutil.rmtree(out / "html" / "jupyter_execute", ignore_errors=True)  # outputs as files
    for unused in (out / "html").rglob("_static/**/*.map"):  # for those who mend the theme
        unused.unlink()
    return faults + broken(out / "html")


def known_repository() -> str:
    """The public address: of CITATION.cff (`repository-code`), if it has one."""
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    return os.environ.get("REPOSITORY") or cited.get("repository-code", "")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the site of both editions.")
    parser.add_argument("numbers", nargs="*", help="of the notebooks to show [default: all]")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "site")
    given = parser.parse_args()
    wrong = build(given.out, given.numbers, known_repository().rstrip("/"))
    print("\n".join(wrong) or f"{given.out / 'html' / 'index.html'}")
    sys.exit(bool(wrong))
