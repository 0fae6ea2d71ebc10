"""The committed rows of the line reader: `python tests/benchmarks/reader_rows.py [--drawn 600]`.

pages.csv: how the twelve drawn pages are found and read. With --drawn also confidence.csv: of
lines drawn in this machine's faces, how often characters of what confidence are right.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from rapidfuzz.distance import Levenshtein
from reader_lines import DRAWN_SEED

from ocrkit.files import atomic_file
from ocrkit.page import read_picture
from ocrkit.page.measure import measure_page
from ocrkit.page.synthetic import PAGES, draw_page
from ocrkit.reader import LineText, Reader, load_reader
from ocrkit.reader.draw import Artist
from ocrkit.reader.faces import Faces

# Probabilities lie near 1, so the bands grow narrow there.
BANDS = [0, 0.5, 0.7, 0.9, 0.97, 0.99, 0.999, 1]
ROWS = Path(__file__).parents[2] / "data/results/reader"


def confidence_table(read: Sequence[LineText], true: Sequence[str]) -> pd.DataFrame:
    """How often characters of a probability are right: a row for each of `BANDS`.

    A character is right that the shortest list of edits keeps. Those that were passed over are in
    no row.
    """
    sure, right = [], []
    for line, text in zip(read, true, strict=True):
        kept = [e for e in Levenshtein.opcodes(line.text, text) if e.tag == "equal"]
        places = {i for e in kept for i in range(e.src_start, e.src_end)}
        sure += line.probabilities
        right += [i in places for i in range(len(line.text))]
    table = pd.DataFrame({"mean_confidence": sure, "right": np.array(right, float)})
    bands = pd.cut(table["mean_confidence"], BANDS, include_lowest=True, labels=False)
    rows = table.groupby(bands).mean().reindex(range(len(BANDS) - 1)).round(4)
    counts = table.groupby(bands).size().reindex(rows.index, fill_value=0)
    rows.insert(0, "characters", counts)
    rows.insert(0, "to", BANDS[1:])
    rows.insert(0, "above", BANDS[:-1])
    return rows.reset_index(drop=True)


def page_table(reader: Reader) -> pd.DataFrame:
    """A row for each of the drawn pages."""
    rows = []
    for name in PAGES:
        true = draw_page(name)
        rows.append(measure_page(true, read_picture(Image.fromarray(true.image), reader)))
        print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--checkpoint", type=Path, help="of a line reader [default: the kit's]")
    parser.add_argument("--drawn", type=int, help="so many drawn lines for confidence.csv")
    parser.add_argument("--out", type=Path, default=ROWS, help="a folder")
    options = parser.parse_args()
    reader = load_reader(options.checkpoint)
    tables = {"pages.csv": page_table(reader)}
    if options.drawn:
        artist = Artist(DRAWN_SEED, Faces("system"))
        lines = [artist.line() for _ in range(options.drawn)]
        read = reader.read_lines([line.image for line in lines])
        tables["confidence.csv"] = confidence_table(read, [line.text for line in lines])
    for name, table in tables.items():
        with atomic_file(options.out / name) as temporary:
            table.to_csv(temporary, index=False)


if __name__ == "__main__":
    main()
