"""The line reader beside Tesseract: errors, time, size. `make speed`, or `reader_speed.py [OUT]`.

One processor core, all engines in turns, processor time (of Tesseract's own process too): what else
the machine does changes it little. Each engine starts from the same grey crops of lines.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy comes with threads of its own

import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import torch

from ocrkit.files import atomic_file
from ocrkit.metrics import rates
from ocrkit.onnx_files import OnnxReader, save_line_reader
from ocrkit.page.layout import find_lines
from ocrkit.page.measure import match
from ocrkit.page.synthetic import PAGES, draw_page
from ocrkit.papers.spotting.tesseract import installed, read_images
from ocrkit.reader.draw import Artist, Line
from ocrkit.reader.faces import Faces
from ocrkit.reader.lines import Reader, load_reader
from ocrkit.reader.network import best_classes
from ocrkit.training.precision import cpu_features

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "data/results/reader/speed.csv"
Read = Callable[[Sequence[np.ndarray]], list[str]]


@dataclass(frozen=True)
class Engine:
    """What reads crops (H, W) uint8 of lines, the bytes of its weights, and what to know of it."""

    name: str
    read: Read
    size: int
    note: str


class Bf16Reader(Reader):
    """torch's reader, with its products in bfloat16."""

    def classes(self, pixels: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            signs, lead_vowel, vowel_tail = self.network(pixels)
        ids, sure = best_classes((signs.float(), lead_vowel.float(), vowel_tail.float()))
        return ids.numpy(), sure.numpy()


def _texts(reader: Reader) -> Read:
    return lambda images: [line.text for line in reader.read_lines(images)]


def tesseract(images: Sequence[np.ndarray]) -> list[str]:
    """Lines doubled in size, as its makers advise for small print, in one call of the program."""
    return [page.text.strip() for page in read_images(images, "line", scale=2)]


def _language_file() -> Path:
    said = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True).stdout
    return Path(said.splitlines()[0].split('"')[1]) / "kor.traineddata"


def engines(folder: Path) -> list[Engine]:
    """All that this machine has; ONNX files are written into a folder."""
    kit = load_reader()
    full = save_line_reader(kit, folder / "full.onnx")
    small = save_line_reader(kit, folder / "int8.onnx", int8=True)
    size = (ROOT / "data/results/reader/reader-ko.safetensors").stat().st_size
    found = [Engine("torch fp32", _texts(kit), size, "stored in half precision")]
    if any(cpu_features().values()):
        found.append(Engine("torch bf16", _texts(Bf16Reader(kit.network)), size, "autocast"))
    onnx = (("ONNX fp32", full, ""), ("ONNX int8", small, "calibrated on 48 drawn lines"))
    found += [Engine(n, _texts(OnnxReader(f)), f.stat().st_size, note) for n, f, note in onnx]
    if installed("kor"):
        note = "kor, psm 7, crops doubled; alone, the program starts for each line"
        found.append(Engine("Tesseract", tesseract, _language_file().stat().st_size, note))
    return found


def drawn_lines(count: int) -> list[Line]:
    """Lines that no training saw, in the faces of this machine."""
    artist = Artist(987_654_321, Faces("system"))
    return [artist.line() for _ in range(count)]


def page_lines(names: Sequence[str], every: int) -> list[Line]:
    """Every so manieth line of the kit's synthetic pages, as the kit's layout cuts it out."""
    lines = []
    for name in names:
        page = draw_page(name)
        layout = find_lines(page.image)
        found = match(page, [layout.corners(line) for line in layout.lines])
        pairs = [(line.text, k) for line, k in zip(page.lines, found, strict=True) if k is not None]
        lines += [Line(layout.lines[k].crop, text) for text, k in pairs[::every]]
    return lines


def seconds() -> float:
    """Processor seconds so far, of this process and of those it started and waited for."""
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def time_in_turns(
    found: Sequence[Engine], images: list[np.ndarray], rounds: int
) -> list[tuple[float, float]]:
    """Milliseconds a line of each engine: one line a call, and all in one call; medians."""
    times: list[tuple[list[float], list[float]]] = [([], []) for _ in found]
    for number in range(rounds + 1):  # the first is to warm up
        for engine, (alone, together) in zip(found, times, strict=True):
            # A program that starts anew for each line takes long: fewer will do.
            few = images[:: 4 if engine.name == "Tesseract" else 1]
            start = seconds()
            for image in few:
                engine.read([image])
            middle = seconds()
            engine.read(images)
            if number:
                alone.append(1000 * (middle - start) / len(few))
                together.append(1000 * (seconds() - middle) / len(images))
    return [(median(alone), median(together)) for alone, together in times]


def measure(
    found: Sequence[Engine], sets: dict[str, list[Line]], timed: list[np.ndarray], rounds: int = 3
) -> pd.DataFrame:
    """A row for each engine; CER is without spaces, since Tesseract's Korean data drop them."""
    rows = []
    for engine, (alone, together) in zip(found, time_in_turns(found, timed, rounds), strict=True):
        row: dict[str, object] = {"engine": engine.name}
        for name, lines in sets.items():
            read = engine.read([line.image for line in lines])
            row[f"cer_{name}"] = round(rates(read, [line.text for line in lines])[0], 4)
        row |= {"ms_a_line_alone": round(alone, 2), "ms_a_line_in_batch": round(together, 2)}
        row |= {"batch": len(timed), "lines_a_second": round(1000 / together, 1)}
        # One line a call: t + start; n lines: n t + start. For engines that start once, about 0.
        start = (alone - together) * len(timed) / max(len(timed) - 1, 1)
        row |= {"ms_more_a_call": round(start, 1), "megabytes": round(engine.size / 1e6, 2)}
        row |= {"note": engine.note, "clock": f"processor time, one core, median of {rounds}"}
        rows.append(row)
        print(row, flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    """Measure everything and write the table."""
    torch.set_num_threads(1)
    drawn = drawn_lines(100)
    upright = [name for name in PAGES if name in ("exam", "book", "notice", "receipt", "chat")]
    sets = {"drawn": drawn, "pages": page_lines(upright, every=3)}
    with tempfile.TemporaryDirectory(prefix="ocrkit-") as folder:
        table = measure(engines(Path(folder)), sets, [line.image for line in drawn[:24]])
    with atomic_file(Path(sys.argv[1]) if sys.argv[1:] else TABLE) as temporary:
        table.to_csv(temporary, index=False)


if __name__ == "__main__":
    main()
