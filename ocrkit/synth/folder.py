"""A folder of images with their labels: images/, labels.tsv, manifest.json."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ocrkit.errors import OcrkitError
from ocrkit.files import atomic_folder
from ocrkit.synth.generate import Sample

HEADER = ("file", "label", "kind", "font")


@dataclass(frozen=True)
class Row:
    """One line of labels.tsv: the image's path inside the folder, its label, kind and font."""

    file: str
    label: str
    kind: str
    font: str


def write_folder(samples: Iterable[Sample], out_dir: str | Path, manifest: dict) -> Path:
    """Write samples as images/, labels.tsv and manifest.json; the folder appears when whole.

    A folder written by this function is replaced; any other that holds something is refused with
    OcrkitError. Stopped half-way, nothing stays behind.
    """
    out = Path(out_dir)
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not is_ours(out)):
        raise OcrkitError(f"{out} exists and was not made by ocrkit: choose another folder")
    with atomic_folder(out) as building:
        (building / "images").mkdir()
        with (building / "labels.tsv").open("w", encoding="utf-8", newline="\n") as table:
            table.write(_line(*HEADER))
            for number, made in enumerate(samples):
                file = f"images/{number:06d}.jpg"
                (building / file).write_bytes(made.image)
                table.write(_line(file, made.label, made.kind, made.font))
        text = json.dumps(manifest, ensure_ascii=False, indent=1)
        (building / "manifest.json").write_text(text + "\n", encoding="utf-8")
    return out


def read_labels(folder: str | Path) -> list[Row]:
    """The rows of a folder's labels.tsv. Raises OcrkitError if it is missing or malformed."""
    path = Path(folder) / "labels.tsv"
    try:
        with path.open(encoding="utf-8", newline="\n") as table:
            lines = table.read().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise OcrkitError(f"cannot read {path}: {error}") from error
    if tuple(lines[0].split("\t")) != HEADER:
        raise OcrkitError(f"{path} must start with the columns {', '.join(HEADER)}")
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if not line:
            continue
        cells = line.split("\t")
        if len(cells) != len(HEADER):
            raise OcrkitError(f"{path}, line {number}: {len(cells)} columns, not {len(HEADER)}")
        rows.append(Row(*cells))
    return rows


def is_ours(folder: Path) -> bool:
    """Whether the folder looks like one that write_folder made."""
    return (folder / "labels.tsv").is_file() and (folder / "manifest.json").is_file()


def _line(*cells: str) -> str:
    if any(mark in cell for cell in cells for mark in "\t\r\n"):
        raise OcrkitError(f"a table cell may hold no tab or line break: {cells}")
    return "\t".join(cells) + "\n"
