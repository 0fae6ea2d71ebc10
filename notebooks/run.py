"""Run notebooks again and save them with their outputs, the Korean pages too: `make notebooks`.

`python notebooks/run.py [40 ...]`
"""

import base64
import io
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from korean import build, find_notebooks, translation_of
from PIL import Image, ImageChops

from ocrkit.errors import OcrkitError
from ocrkit.files import write_text
from ocrkit.notebooks import execute


def main(names: Sequence[str] = ()) -> None:
    """Run these (numbers or parts of names; all by default) from top to bottom, and save them.

    Raises OcrkitError: no such notebook, one is broken, or a cell failed.
    """
    for path in find_notebooks(names):
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / path.name
            seconds = execute(path, out)
            tidy(out)
            write_text(path, out.read_text(encoding="utf-8"))
        if translation_of(path).exists():
            build(path)
        print(f"{path}  {seconds:.0f} s")


def tidy(notebook: Path) -> None:
    """Make a saved notebook small, and the same whoever ran it.

    Out go papermill's metadata (paths, times), widget state and absolute paths in outputs. Images
    keep 32, 64 or 128 colours that cover theirs best: half the size or less, and no eye can tell.
    """
    import nbformat

    book = nbformat.read(notebook, as_version=4)
    book.metadata.pop("papermill", None)
    book.metadata.pop("widgets", None)
    here = str(Path.cwd()) + "/"
    for cell in book.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k == "tags"}
        for output in cell.get("outputs", []):
            if "text" in output:
                output["text"] = output["text"].replace(here, "")
            if image := output.get("data", {}).get("image/png"):
                output["data"]["image/png"] = _indexed(image)
    nbformat.write(book, notebook)


def _indexed(image: str, unseen: int = 8) -> str:
    """A PNG (base64) of few colours, or as it was if it is indexed already or no larger.

    unseen: grey levels by which a pixel may change, unless it takes more than 128 colours.
    """
    whole = Image.open(io.BytesIO(base64.b64decode(image)))
    if whole.mode == "P":
        return image
    # The other methods drop a thin line of a rare colour. One round of k-means keeps greys grey.
    method, dither = Image.Quantize.MAXCOVERAGE, Image.Dither.NONE
    whole = whole.convert("RGB")
    for colours in (32, 64, 128):
        indexed = whole.quantize(colours, method, kmeans=1, dither=dither)
        changes = ImageChops.difference(whole, indexed.convert("RGB")).getextrema()
        if max(most for _, most in changes) <= unseen:
            break
    smaller = io.BytesIO()
    indexed.save(smaller, "PNG", optimize=True)
    return min(image, base64.b64encode(smaller.getvalue()).decode(), key=len)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OcrkitError as error:
        sys.exit(str(error))
