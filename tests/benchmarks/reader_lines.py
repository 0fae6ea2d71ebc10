"""Measuring the line reader on real pages: `python tests/benchmarks/reader_lines.py LINES.tsv`.

LINES.tsv holds a line of a page in each row: the image's file name (beside the table), x, y, width,
height in pixels, text. A table of one image may leave the name out, and is called like it:
page.jpg, page_lines.tsv.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein

from ocrkit.data.pictures import decode
from ocrkit.errors import OcrkitError
from ocrkit.files import read_file
from ocrkit.hangul import nfc
from ocrkit.labels import label_of
from ocrkit.metrics import rates
from ocrkit.reader.draw import Artist, Line
from ocrkit.reader.faces import Faces
from ocrkit.reader.lines import load_reader
from ocrkit.text_files import read_whole_lines

DRAWN_SEED = 31_337  # of no training, and of no training's check


def read_table(path: Path, margin: float = 0.0) -> list[Line]:
    """The lines of a table as crops.

    Args:
        margin: pixels kept around each box, as a share of its height.

    Raises:
        OcrkitError: the table or an image is missing or broken, the table is empty, or a box lies
            outside its image.
    """
    images: dict[str, np.ndarray] = {}
    lines = []
    for number, row in enumerate(read_whole_lines(path), 1):
        if not row:
            continue
        fields = row.split("\t")
        if len(fields) == 5:
            fields.insert(0, f"{path.stem.removesuffix('_lines')}.jpg")
        try:
            name, *box, text = fields
            x, y, width, height = map(int, box)
        except ValueError:
            raise OcrkitError(
                f"{path}, row {number}: give file, x, y, w, h, text by tabs"
            ) from None
        if name not in images:
            images[name] = np.asarray(decode(read_file(path.parent / name)).convert("L"))
        page, pad = images[name], round(margin * height)
        crop = page[max(y - pad, 0) : y + height + pad, max(x - pad, 0) : x + width + pad]
        if not crop.size or min(x, y) < 0:
            raise OcrkitError(f"{path}, row {number}: the box lies outside of {name}")
        lines.append(Line(crop, nfc(text)))
    if not lines:
        raise OcrkitError(f"{path} holds no line")
    return lines


def confusions(read: list[str], true: list[str]) -> Counter[tuple[str, str]]:
    """How often which true character was read as which; "" is nothing. Spaces are left out."""
    found: Counter[tuple[str, str]] = Counter()
    for r, t in zip(map(label_of, read), map(label_of, true), strict=True):
        for edit in Levenshtein.editops(t, r):
            source = "" if edit.tag == "insert" else t[edit.src_pos]
            target = "" if edit.tag == "delete" else r[edit.dest_pos]
            found[source, target] += 1
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tables", type=Path, nargs="*", help="tables of lines, see above")
    parser.add_argument(
        "--drawn", type=int, help="also so many drawn lines, in this machine's faces"
    )
    parser.add_argument("--reader", type=Path, help="another reader than the kit's")
    parser.add_argument("--margin", type=float, default=0.0, help="share of a line's height")
    parser.add_argument("--errors", action="store_true", help="also print the wrong lines")
    options = parser.parse_args()
    reader = load_reader(options.reader)
    sets = {table.name: read_table(table, options.margin) for table in options.tables}
    if options.drawn:
        artist = Artist(DRAWN_SEED, Faces("system"))
        sets["drawn"] = [artist.line() for _ in range(options.drawn)]
    if not sets:
        parser.error("give tables of lines, or --drawn")
    for name, lines in sets.items():
        read = [line.text for line in reader.read_lines([line.image for line in lines])]
        true = [line.text for line in lines]
        without, with_spaces = rates(read, true)
        print(
            f"{name}: {len(lines)} lines, character error rate "
            f"{without:.2%} without spaces, {with_spaces:.2%} with"
        )
        if options.errors:
            for r, t in zip(read, true, strict=True):
                if r != t:
                    print(f"  {t}\n  {r}\n")
            common = confusions(read, true).most_common(40)
            print(" ".join(f"{a or '-'}>{b or '-'}:{n}" for (a, b), n in common))


if __name__ == "__main__":
    try:
        main()
    except OcrkitError as error:
        sys.exit(str(error))
