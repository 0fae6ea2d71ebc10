"""How fast ocrkit is beside today's tools: `make bench`, or `python bench.py OUT [MEASURE ...]`.

Both sides are measured in turns. A busy machine slows both, and its numbers are not worth keeping.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy comes with threads of its own

import sys
from pathlib import Path

import feed
import generate
from timing import machine

from ocrkit.files import write_json

if __name__ == "__main__":
    out, *chosen = sys.argv[1:]
    found = {**machine(), "rows": []}
    measures = {
        "generate": lambda: generate.measure(Path(".venv-trdg/bin/python")),
        "feed": lambda: [feed.measure()],
    }
    for name in chosen or measures:
        for row in measures[name]():
            print(f"{row['what']}: {row['processor']} beside {row['against']}; {row['note']}")
            found["rows"].append(row)
    write_json(Path(out), found)
