"""The site is built from a few notebooks, in both editions, and holds together without network."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
NUMBERS = ["20", "40"]
REPOSITORY = "https://github.com/someone/ocrkit"
sys.path.insert(0, str(ROOT / "docs" / "site"))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The pages of two notebooks and all texts, built as `make site` builds them."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(ROOT / "docs/site/build.py"), "--out", str(out), *NUMBERS]
    environment = {"PYTHONPATH": str(ROOT), "REPOSITORY": REPOSITORY, "PATH": "/usr/bin:/bin"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""
    return out / "html"


def page(site: Path, name: str) -> str:
    return (site / name).read_text(encoding="utf-8")


def test_both_editions_are_there_each_in_its_language(site):
    for name in ("index", "20_ctc_and_crnn"):
        assert '<html lang="en"' in page(site, f"{name}.html")
        assert '<html lang="ko"' in page(site, f"ko/{name}.html")
    assert "인식기" in page(site, "ko/20_ctc_and_crnn.html")
    assert not (site / "21_grcnn.html").exists()


def test_every_page_leads_to_the_other_edition(site):
    def other(name: str) -> str:
        return re.search(r'class="other-edition" href="([^"]*)"', page(site, name))[1]

    assert other("20_ctc_and_crnn.html") == "ko/20_ctc_and_crnn.html"
    assert other("ko/20_ctc_and_crnn.html") == "../20_ctc_and_crnn.html"
    assert other("solutions/20_solutions.html") == "../ko/solutions/20_solutions.html"
    assert other("ko/solutions/20_solutions.html") == "../../solutions/20_solutions.html"
    assert other("docs/api.html") == "../ko/index.html"
    assert other("ko/index.html") == "../index.html"


def test_formulas_are_set_by_a_mathjax_that_the_site_holds(site):
    for name in ("20_ctc_and_crnn.html", "ko/20_ctc_and_crnn.html"):
        text = page(site, name)
        assert re.search(r'<div class="math notranslate[^"]*">\s*\\\[', text)
        assert "$$" not in re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL)
        (script,) = re.findall(r'src="([^"]*mathjax/tex-chtml.js[^"]*)"', text)
        assert (site / name).parent.joinpath(script.split("?")[0]).stat().st_size > 1_000_000
    assert list((site / "_static/mathjax/output/chtml/fonts/woff-v2").glob("*.woff"))


def test_outputs_are_the_stored_ones(site):
    assert re.search(
        r'<img alt="[^"]*" src="_images/\w+\.png"', page(site, "40_hangul_for_machines.html")
    )


def test_a_page_leads_to_the_repository_and_to_machines_that_run_it(site):
    text = page(site, "ko/20_ctc_and_crnn.html")
    path = "someone/ocrkit/blob/main/notebooks/ko/20_ctc_and_crnn.ipynb"
    assert f"https://colab.research.google.com/github/{path}" in text
    assert "https://mybinder.org/v2/gh/someone/ocrkit/main" in text
    assert f"git clone --depth 1 {REPOSITORY} ocrkit" in re.sub(
        r"<[^>]*>", "", page(site, "index.html")
    )


def test_links_become_addresses_of_the_site():
    from build import addresses, to_site

    shown = addresses(NUMBERS)
    english, korean = "notebooks/20_ctc_and_crnn.ipynb", "notebooks/ko/20_ctc_and_crnn.ipynb"
    text = (
        "[a](40_hangul_for_machines.ipynb#x) [b [1]](../docs/log.md) ![c](../figures/c.png) [d](#e)"
    )
    turned = (
        "[a](40_hangul_for_machines.html#x) [b [1]](docs/log.html) ![c](../figures/c.png) [d](#e)"
    )
    assert to_site(text, english, shown, "") == turned
    assert (
        to_site("[a](../40_hangul_for_machines.ipynb)", korean, shown, "")
        == "[a](../40_hangul_for_machines.html)"
    )
    assert (
        to_site("[a](solutions/20_solutions.ipynb)", korean, shown, "")
        == "[a](solutions/20_solutions.html)"
    )
    assert to_site("[g](../LICENSE)", english, shown, "") == "g"
    assert to_site("[g](../LICENSE)", english, shown, "x://y") == "[g](x://y/blob/main/LICENSE)"
    assert to_site("`solutions/20_solutions.ipynb`", english, shown, "") == (
        "[`solutions/20_solutions.ipynb`](solutions/20_solutions.html)"
    )


def test_every_page_has_its_place_in_the_contents():
    """All of them: the site of the other tests shows two notebooks."""
    from build import addresses, contents

    for language in ("en", "ko"):
        ours = [a for a in addresses([]).values() if a.startswith("ko/") == (language == "ko")]
        pages = [a.removeprefix("ko/").removesuffix(".html") for a in ours]
        listed = re.findall(r"^[\w/]+$", contents(sorted(pages), language), re.MULTILINE)
        assert sorted(listed) == sorted(set(pages) - {"index"})


def test_links_that_lead_nowhere_are_found(tmp_path):
    from build import broken

    (tmp_path / "a.html").write_text(
        '<a href="b.html#here">x</a> <a href="#gone">y</a> <p id="in">'
    )
    (tmp_path / "b.html").write_text(
        '<p id="here"><a href="a.html#in">x</a> <img src="c.png"> <script src="https://cdn/x.js"></script>'
        '<a href="https://doi.org/1">fine</a> <img src="data:image/png;base64,xx">'
    )
    assert sorted(broken(tmp_path)) == [
        "a.html -> #gone: no such part",
        "b.html -> c.png",
        "b.html loads https://cdn/x.js",
    ]


def test_the_workflow_publishes_what_make_site_builds():
    workflow = yaml.safe_load((ROOT / ".github/workflows/site.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["publish"]["steps"]
    assert "make site" in [step.get("run") for step in steps]
    assert "build/site/html" in [step.get("with", {}).get("path") for step in steps]
    assert (
        "docs/site/build.py" in (ROOT / "Makefile").read_text().split("\nsite:")[1].split("\n\n")[0]
    )
