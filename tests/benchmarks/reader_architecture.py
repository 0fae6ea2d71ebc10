"""One of the 24 beside the line reader, trained alike: `reader_architecture.py STEP`, STEP by STEP.

`draw` writes the lines of a short training to a folder; `train NAME` trains a network on them from
nothing, in the same order, by the reader's own recipe, and goes on where it was stopped;
`measure` writes the table. Lines and batches are those of `reader_train.py`.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy comes with threads of its own

import argparse
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import safetensors.torch
import torch
import torch.nn.functional as F
from rapidfuzz.distance import Levenshtein
from reader_speed import Engine, Line, drawn_lines, measure, page_lines
from reader_train import CHECK_SEED, batches, rate_share
from torch import Tensor, nn

from ocrkit.files import atomic_file
from ocrkit.hangul import is_syllable
from ocrkit.models import Recognizer
from ocrkit.models.recognizer import orthogonal_start
from ocrkit.page.synthetic import PAGES
from ocrkit.reader.charset import BLANK, CLASSES, decode
from ocrkit.reader.draw import Artist
from ocrkit.reader.faces import Faces
from ocrkit.reader.lines import Reader, load_reader, prepare, to_batch
from ocrkit.reader.network import STRIDE, LetterHead, LineNetwork
from ocrkit.reader.task import READER_RECIPE, Batch, LineTask, line_scores
from ocrkit.training import Loop

TABLE = Path(__file__).parents[2] / "data/results/reader/architecture.csv"
RARE = 5  # a syllable that the training lines hold less often is rare


class OneOfThe24(nn.Module):
    """None-VGG-BiLSTM-CTC for lines of any width: ink (B, 1, 32, W) -> scores of W / 4 frames.

    letters: score letters as the reader does, instead of every syllable by itself.
    """

    def __init__(self, width: float, letters: bool = False) -> None:
        super().__init__()
        network = Recognizer("None-VGG-BiLSTM-CTC", classes=CLASSES, width=width)
        self.features, self.sequence = network.features, network.sequence
        self.score = LetterHead(network.head.in_features) if letters else network.head
        orthogonal_start(self)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """Logits (B, W / 4, classes), or scores as of `LetterHead`."""
        # VGG makes W / 4 - 1 frames: half a frame of paper on both sides gives the reader's.
        visual = self.features(F.pad(images, (STRIDE // 2, STRIDE // 2)))
        return self.score(self.sequence(visual.squeeze(2).transpose(1, 2)))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "reader": LineNetwork,
    "VGG": partial(OneOfThe24, 0.25),
    "VGG-letters": partial(OneOfThe24, 0.25, letters=True),
}
WHAT = {
    "reader": "the reader's network",
    "VGG": "None-VGG-BiLSTM-CTC, width 0.25",
    "VGG-letters": "None-VGG-BiLSTM-CTC, width 0.25, the reader's head",
}


def plain_ctc_loss(logits: Tensor, labels: list[list[int]], frames: Tensor) -> Tensor:
    """`ocrkit.reader.network.ctc_loss` for logits (B, T, classes): every class has its own score.

    The loss looks at the classes of the labels alone, which takes less time than at all of them.
    """
    ids = np.unique(np.concatenate([[BLANK], *labels]).astype(np.int64))
    chosen = logits.index_select(2, torch.from_numpy(ids))
    log_p = (chosen - logits.logsumexp(2, keepdim=True)).transpose(0, 1)
    lengths = torch.tensor([len(label) for label in labels])
    targets = torch.from_numpy(np.searchsorted(ids, np.concatenate(labels)))
    losses = F.ctc_loss(log_p, targets, frames, lengths, reduction="none", zero_infinity=True)
    weights = 1 / lengths.clamp(min=1) / len(labels)
    # torch's gradient holds the probabilities besides, which add up to 1 over all classes only
    inside = (torch.arange(len(log_p))[:, None] < frames) & (losses.detach() > 0)
    surplus = (log_p.exp().sum(2) * inside * weights).sum()
    return (losses * weights).sum() - (surplus - surplus.detach())


class PlainReader(Reader):
    """Reads with a network that gives logits over all classes."""

    @torch.inference_mode()
    def classes(self, pixels: Tensor) -> tuple[np.ndarray, np.ndarray]:
        logits = self.network(pixels)
        best, ids = logits.max(2)
        return ids.numpy(), (best - logits.logsumexp(2)).exp().numpy()


def reader_of(network: nn.Module) -> Reader:
    """What reads lines with one of `NETWORKS`."""
    plain = isinstance(network, OneOfThe24) and isinstance(network.score, nn.Linear)
    return (PlainReader if plain else Reader)(network)  # pyright: ignore[reportArgumentType]


class PlainTask(LineTask):
    """A `LineTask` for logits over all classes."""

    def loss(self, model: nn.Module, step: int) -> Tensor:
        inks, labels = self.batches[step]
        images, frames = to_batch(inks)
        return plain_ctc_loss(model(images), labels, frames)

    def validate(self, model: nn.Module) -> dict[str, float]:  # pyright: ignore
        return line_scores(reader_of(model), *self.valid) if self.valid else {}


def draw(folder: Path, steps: int, fonts: str = "system", seed: int = 1) -> None:
    """Write the batches of a training, lines growing longer, to `lines.npz`."""
    drawn = list(itertools.islice(batches(Artist(seed, Faces(fonts))), steps))
    inks = [ink for batch, _ in drawn for ink in batch]
    labels = [label for _, batch in drawn for label in batch]
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / "lines.npz") as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            inks=np.concatenate(inks, axis=1),
            widths=[ink.shape[1] for ink in inks],
            labels=np.concatenate(labels),
            lengths=[len(label) for label in labels],
            batches=[len(batch) for batch, _ in drawn],
        )


def drawn_batches(folder: Path) -> list[Batch]:
    """What `draw` wrote."""
    with np.load(folder / "lines.npz") as file:
        inks = np.split(file["inks"], np.cumsum(file["widths"])[:-1], axis=1)
        labels = [part.tolist() for part in np.split(file["labels"], np.cumsum(file["lengths"]))]
        ends = np.cumsum(file["batches"])
    return [
        (inks[a:b], labels[a:b]) for a, b in itertools.pairwise([0, *map(int, ends)])
    ]  # fmt: skip


def train(
    folder: Path, name: str, steps: int, fonts: str = "system", seed: int = 1, checked: int = 100
) -> None:
    """Train one of `NETWORKS` on the first batches that were drawn; weights in half precision."""
    torch.manual_seed(seed)
    lines, network = drawn_batches(folder)[:steps], NETWORKS[name]()
    artist = Artist(CHECK_SEED, Faces(fonts))
    checks = [artist.line() for _ in range(checked)]
    valid = [prepare(line.image) for line in checks], [line.text for line in checks]
    task = LineTask if type(reader_of(network)) is Reader else PlainTask
    steps = len(lines)
    recipe = replace(READER_RECIPE, steps=steps, validate_every=max(steps // 4, 1))
    options = {"folder": folder / name, "identity": {"network": name}, "save_every": 60.0}
    loop = Loop(network, task(lines, valid), recipe, seed, **options)
    loop.schedule = torch.optim.lr_scheduler.LambdaLR(
        loop.engine.optimizer, partial(rate_share, steps=steps, decay=0.4)
    )
    result = loop.run(lambda p: print(p, flush=True) if p.step % 20 == 0 else None)
    kept = network.state_dict()  # with kernels channels-last, as they are trained
    state = {k: (v.half() if v.ndim > 1 else v).contiguous() for k, v in kept.items()}
    about = {"minutes": f"{result.cpu_seconds / 60:.1f}", "steps": str(steps)}
    with atomic_file(folder / f"{name}.safetensors") as temporary:
        safetensors.torch.save_file(state, temporary, about)


def rare_right(read: list[str], true: list[str], rare: set[str]) -> tuple[int, int]:
    """Of the rare syllables of the true texts: how many the shortest list of edits keeps; all."""
    kept = total = 0
    for r, t in zip(read, true, strict=True):
        total += sum(ch in rare for ch in t)
        equal = [e for e in Levenshtein.opcodes(t, r) if e.tag == "equal"]
        kept += sum(ch in rare for e in equal for ch in t[e.src_start : e.src_end])
    return kept, total


def table(folder: Path, drawn: list[Line], pages: list[Line], rounds: int = 3) -> pd.DataFrame:
    """A row for each network that was trained, and one for the reader of the kit."""
    lines = drawn_batches(folder)
    seen = Counter(ch for _, labels in lines for label in labels for ch in decode(label))
    rare = {ch for line in drawn for ch in line.text if is_syllable(ch) and seen[ch] < RARE}
    found, about = [], []
    for name in [name for name in NETWORKS if (folder / f"{name}.safetensors").exists()]:
        path, network = folder / f"{name}.safetensors", NETWORKS[name]()
        with safetensors.safe_open(path, "pt") as file:
            minutes, steps = float(file.metadata()["minutes"]), int(file.metadata()["steps"])
        network.load_state_dict(safetensors.torch.load_file(path))
        count = sum(len(inks) for inks, _ in lines[:steps])
        found.append((WHAT[name], reader_of(network), path.stat().st_size, "from nothing"))
        about.append((steps, count, minutes))
    kit = load_reader()
    size = sum(v.numel() * (2 if v.ndim > 1 else 4) for v in kit.network.state_dict().values())
    found.append(("reader-ko", kit, size, "the kit's own, as it is shipped"))
    about.append((kit.info["steps"], kit.info.get("lines"), None))
    engines = [
        Engine(name, lambda images, r=reader: [x.text for x in r.read_lines(images)], size, note)
        for name, reader, size, note in found
    ]
    timed = [line.image for line in drawn[:24]]
    rows = measure(engines, {"drawn": drawn, "pages": pages}, timed, rounds)
    counts = [sum(p.numel() for p in reader.network.parameters()) for _, reader, *_ in found]
    rows.insert(1, "parameters", counts)
    for at, column in enumerate(("steps", "lines", "minutes_of_training"), 2):
        rows.insert(at, column, [row[at - 2] for row in about])
    true = [line.text for line in drawn]
    right = [rare_right(e.read([line.image for line in drawn]), true, rare) for e in engines]
    rows.insert(7, "rare_syllables_right", [kept for kept, _ in right])
    rows.insert(8, "rare_syllables", [total for _, total in right])
    return rows


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=["draw", "train", "measure"])
    parser.add_argument("name", nargs="?", choices=list(NETWORKS), default="reader")
    parser.add_argument("--folder", type=Path, default=Path("runs/architecture"))
    parser.add_argument("--steps", type=int, default=800, help="of the training")
    parser.add_argument("--out", type=Path, default=TABLE)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.what == "draw":
        draw(options.folder, options.steps)
    elif options.what == "train":
        train(options.folder, options.name, options.steps)
    else:
        upright = [name for name in PAGES if name in ("exam", "book", "notice", "receipt", "chat")]
        rows = table(options.folder, drawn_lines(300), page_lines(upright, every=2))
        with atomic_file(options.out) as temporary:
            rows.to_csv(temporary, index=False)


if __name__ == "__main__":
    main()
