"""Training and reading of all 24 models, beside plain fp32 and the machine's ceilings.

`make performance`, or `python performance.py [DEVICE]`: writes data/results/performance.json and
the tables of docs/performance.md. About twenty minutes on an idle core, on one thread.
"""

import copy
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from cost import count
from optimizations import make_model, measure, never_end, plain_adamw
from timing import in_turns, machine
from torch.nn import functional as F

from ocrkit.data.cache import to_input
from ocrkit.files import read_json, write_json, write_text
from ocrkit.hangul import charset
from ocrkit.models import MODEL_NAMES
from ocrkit.training import RECIPES
from ocrkit.training.engines import NativeEngine
from ocrkit.training.losses import make_converter, training_loss

ROOT = Path(__file__).parents[2]
DATA, DOCUMENT = ROOT / "data/results/performance.json", ROOT / "docs/performance.md"
# `characters` of the charset: CTC has a class more, attention two. Labels have half of max_length.
# ResNet takes seven times the arithmetic, so its batch is smaller.
SIZES = {
    "paper": {
        "batch": 16, "resnet_batch": 4, "image_width": 400, "width": 1.0, "characters": 972,
        "max_length": 50,
    },
    "mini": {
        "batch": 16, "resnet_batch": 16, "image_width": 64, "width": 0.25, "characters": 80,
        "max_length": 4,
    },
}  # fmt: skip
ROUNDS = {"paper": 2, "mini": 15}  # small steps are short: more of them, for a steady median


def measure_ceilings(
    device: torch.device, rounds: int = 5, edge: int = 2048, megabytes: int = 256
) -> dict[str, float]:
    """Operations a second of the largest products and convolutions; bytes a second of a sum.

    A multiply and an add count as two. edge: of the matrices; megabytes: of each array summed, far
    more than a cache holds.
    """

    def best(work: Callable[[], torch.Tensor], count: float) -> float:
        (seconds,) = in_turns([torch.inference_mode()(work)], rounds, wall=device.type == "cuda")
        return float(f"{count / min(seconds):.4g}")

    found = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        layout = torch.contiguous_format if name == "fp32" else torch.channels_last
        a, b = (torch.randn(edge, edge, device=device).to(dtype) for _ in range(2))
        x, w = (
            torch.randn(shape, device=device).to(dtype, memory_format=layout)
            for shape in ((8, edge // 8, 8, 100), (edge // 8, edge // 8, 3, 3))
        )
        found[f"product_{name}"] = best(lambda a=a, b=b: a @ b, 2 * edge**3)
        each = 2 * x.numel() * w[0].numel()
        found[f"convolution_{name}"] = best(lambda x=x, w=w: F.conv2d(x, w, padding=1), each)
    a, b, out = (torch.ones(megabytes * 2**18, device=device) for _ in range(3))
    found["bytes_per_second"] = best(lambda: torch.add(a, b, out=out), 3 * a.nbytes)
    return found


def measure_model(
    size_name: str, size: dict, name: str, device: torch.device, rounds: int
) -> dict[str, Any]:
    """Images a second of training and reading: `plain` in fp32, `fast` as the recipe `fast` does.

    Both have the same layers, weights, images and labels; noise for images, and syllables drawn at
    random. Beside them what an image costs: operations, and bytes with its share of the weights'.
    """
    batch = size["resnet_batch"] if "ResNet" in name else size["batch"]
    torch.manual_seed(1)
    model, recipe = make_model(name, size), replace(RECIPES["fast"], batch_size=batch)
    fast = NativeEngine(copy.deepcopy(model), replace(recipe, precision="auto"), device)
    slow = replace(recipe, precision="fp32")
    engines = [NativeEngine(model, slow, device, make_optimizer=plain_adamw), fast]
    model.to(memory_format=torch.contiguous_format)  # torch's usual layout
    random, syllables = np.random.default_rng(1), charset("972")[: size["characters"]]
    converter = make_converter(name.split("-")[-1], syllables, size["max_length"])
    pixels = random.integers(0, 256, (batch, 32, size["image_width"]), dtype=np.uint8)
    drawn = random.choice(list(syllables), (batch, size["max_length"] // 2))
    texts = ["".join(row) for row in drawn]

    def train(engine: NativeEngine) -> None:
        engine.model.train()
        with engine.autocast():
            images = to_input(pixels).to(device)
            loss = training_loss(engine.model, converter, images, texts)
        engine.backward(loss)
        engine.step()

    @torch.inference_mode()
    def read(engine: NativeEngine) -> None:
        never_end(engine.plain.eval().head)
        with engine.autocast():
            logits = engine.model(to_input(pixels).to(device))
        converter.decode(logits.argmax(2).cpu())

    row = {"size": size_name, "model": name, "batch": batch, "precision": fast.precision}
    # Reading last: its models no longer end early, and should not be trained.
    for task, work in (("train", train), ("read", read)):
        ways = [lambda engine=engine, work=work: work(engine) for engine in engines]
        seconds = in_turns(ways, rounds, wall=device.type == "cuda")
        sizes = (size[key] for key in ("image_width", "max_length", "width"))
        cost = count(name, task == "train", size["characters"] + 1, *sizes)
        numbers = dict(zip(("plain", "fast"), (batch / median(s) for s in seconds), strict=True))
        numbers |= {"flops": cost.flops, "bytes": cost.image_bytes + cost.batch_bytes / batch}
        row[task] = {key: float(f"{value:.4g}") for key, value in numbers.items()}
    return row


def tables(found: dict[str, Any]) -> dict[str, str]:
    """Markdown tables by name: ceilings, cuts, and train and read of each size."""
    ceiling = found["ceilings"]
    made = {
        "ceilings": markdown(
            ["ceiling", "measured"],
            [
                [name.replace("_", " "), f"{value / 1e9:,.0f} GFLOP/s"]
                for name, value in ceiling.items()
                if name != "bytes_per_second"
            ]
            + [["memory", f"{ceiling['bytes_per_second'] / 1e9:.1f} GB/s"]],
        ),
        "cuts": markdown(
            ["cut", "size", "plain, ms", "cut, ms", "times"],
            [
                [row["what"], row["size"], three_digits(row["plain_ms"]),
                 three_digits(row["cut_ms"]), f"{row['times']:.2f}"]
                for row in found["cuts"]
            ],
        ),
    }  # fmt: skip
    heads = ["model", "GFLOP", "MB", "plain", "fast", "times", "arithmetic", "memory, at most"]
    for size in SIZES:
        for task in ("train", "read"):
            rows = []
            for row in (row for row in found["models"] if row["size"] == size):
                cost, (arithmetic, memory) = row[task], shares(row, task, ceiling)
                numbers = (cost["flops"] / 1e9, cost["bytes"] / 1e6, cost["plain"], cost["fast"])
                rows.append(
                    [row["model"], *map(three_digits, numbers),
                     f"{cost['fast'] / cost['plain']:.2f}", f"{arithmetic:.0%}".replace("%", " %"),
                     f"{memory:.0%}".replace("%", " %")]
                )  # fmt: skip
            made[f"{task}-{size}"] = markdown(heads, rows)
    return made


def shares(row: dict[str, Any], task: str, ceiling: dict[str, float]) -> tuple[float, float]:
    """How much of the ceilings the fast side reaches: arithmetic, and memory at most (0 to 1).

    Operations a second by the faster of product and convolution in its precision; bytes as if
    nothing stayed in a cache, at the precision's width.
    """
    cost, half = row[task], row["precision"] != "fp32"
    kind = "bf16" if half else "fp32"
    most = max(ceiling[f"product_{kind}"], ceiling[f"convolution_{kind}"])
    moved = cost["bytes"] / (2 if half else 1)
    return cost["fast"] * cost["flops"] / most, cost["fast"] * moved / ceiling["bytes_per_second"]


def three_digits(value: float) -> str:
    """0.123, 1.23, 12.3, 123, 1,230."""
    digits = max(0, 2 - len(str(int(value))) + 1) if value >= 1 else 3
    return f"{float(f'{value:.3g}'):,.{digits}f}"


def markdown(heads: list[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column to the left, numbers to the right."""
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, rule, *rows])


def write_tables(document: Path, made: dict[str, str]) -> None:
    """Put each table between its marks in a document: `<!-- table: NAME -->` and `<!-- end -->`."""
    text = document.read_text(encoding="utf-8")
    for name, table in made.items():
        marks = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = marks.subn(lambda m, table=table: f"{m[1]}\n{table}\n\n{m[2]}", text)
        assert count == 1, f"{document} has no place for the table {name}"
    write_text(document, text)


if __name__ == "__main__":
    device = torch.device(*sys.argv[1:] or ["cpu"])
    found = {**machine(), "device": str(device), "ceilings": measure_ceilings(device)}
    found |= {"cuts": [], "models": []}
    for name, size in SIZES.items():
        found["cuts"] += measure(name, size, device, ROUNDS[name])
        for model in MODEL_NAMES:
            found["models"].append(measure_model(name, size, model, device, ROUNDS[name]))
            print(found["models"][-1])
    write_json(DATA, found)
    write_tables(DOCUMENT, tables(read_json(DATA)))
