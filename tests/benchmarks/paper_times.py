"""Measure the reading list's milliseconds an image anew, all in one call, so that they compare.

`python tests/benchmarks/paper_times.py [FOLDER]`
"""

import sys
from pathlib import Path

from ocrkit.files import read_json, write_json
from ocrkit.papers.shared.study import find_study, trained
from ocrkit.schemas import StudyRow


def main(folder: Path) -> None:
    """Write `ms_image` into the row of every run in a folder, which holds their weights too."""
    for path in sorted(folder.glob("*.json")):
        row = read_json(path, StudyRow)
        study = find_study(row["study"])
        row["ms_image"] = study.time(trained(study, folder, row["seed"]))
        write_json(path, row)
        print(f"{path.stem}: {row['ms_image']:.1f} ms an image")


if __name__ == "__main__":
    main(Path(*sys.argv[1:] or ["data/results/papers"]))
