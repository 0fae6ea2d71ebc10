"""Models measured: that every side runs, that cuts change nothing, and that the document agrees."""

from pathlib import Path

import pytest
import torch

from ocrkit.bench import ceilings, cuts, models, performance
from ocrkit.bench.sizes import MINI, PAPER, Size
from ocrkit.files import read_json, write_json

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT, DATA = ROOT / "docs" / "performance.md", ROOT / "data" / "results" / "performance.json"
CPU = torch.device("cpu")
TINY = Size("mini", 2, 3, 32, 0.1, 9, 2)


@pytest.fixture(scope="module")
def sides() -> dict[str, cuts.Sides]:
    return dict(cuts.cases(TINY, CPU))


WHAT = (
    "attention, training",
    "attention, greedy",
    "TPS's sampling points",
    "gated convolution",
    "pool before ReLU",
    "AdamW in one pass",
)


@pytest.mark.parametrize("what", WHAT)
def test_a_cut_changes_nothing(sides, what):
    assert set(sides) == set(WHAT)
    plain, cut = (side() for side in sides[what])
    assert len(plain) == len(cut)
    for theirs, ours in zip(plain, cut, strict=True):
        assert theirs.isfinite().all()
        # Two ways to round a bfloat16, or a float32 that the spline magnifies.
        coarse = theirs.dtype == torch.bfloat16 or what == "gated convolution"
        tolerance = {"rtol": 0.05, "atol": 1e-2} if coarse else {"rtol": 1e-3, "atol": 1e-4}
        torch.testing.assert_close(ours, theirs, **tolerance)


def test_cuts_are_rows():
    rows = list(cuts.measure(TINY, CPU, rounds=1))
    assert [row["what"] for row in rows] == list(WHAT)
    assert all(row["size"] == "mini" and row["times"] > 0 for row in rows)


def test_models_are_rows():
    names = ("None-VGG-None-CTC", "TPS-ResNet-BiLSTM-Attn")
    rows = list(models.measure(TINY, CPU, rounds=1, names=names))
    assert [(row["model"], row["batch"]) for row in rows] == list(zip(names, (2, 3), strict=True))
    for row in rows:
        for task in ("train", "read"):
            assert set(row[task]) == {"plain", "fast", "flops", "bytes"}
            assert all(number > 0 for number in row[task].values())
        assert row["train"]["flops"] > row["read"]["flops"]


def test_reading_goes_on_to_the_last_character():
    model = TINY.model("None-VGG-None-Attn").eval()
    with torch.no_grad():
        model.head.generator.bias[1] = 100  # it would end at once
    models.never_end(model.head)
    with torch.inference_mode():
        logits = model(torch.zeros(1, 1, 32, 32))
    assert (logits != 0).any(dim=2).all()


def test_ceilings_are_measured():
    found = ceilings.measure(CPU, rounds=1, edge=64, megabytes=1)
    assert all(value > 0 for value in found.values())
    assert set(found) == {
        "product_fp32", "convolution_fp32", "product_bf16", "convolution_bf16", "bytes_per_second",
    }  # fmt: skip


def test_shares_by_hand():
    ceiling = {
        "product_fp32": 10.0, "convolution_fp32": 20.0, "product_bf16": 50.0,
        "convolution_bf16": 40.0, "bytes_per_second": 100.0,
    }  # fmt: skip
    row = {"precision": "bf16", "train": {"fast": 5.0, "plain": 2.0, "flops": 4.0, "bytes": 8.0}}
    assert performance.shares(row, "train", ceiling) == pytest.approx((0.4, 0.2))
    row["precision"] = "fp32"
    assert performance.shares(row, "train", ceiling) == pytest.approx((1.0, 0.4))


def test_numbers_have_three_digits():
    written = [performance._three(value) for value in (0.1234, 1.234, 12.34, 123.4, 1234.0)]
    assert written == ["0.123", "1.23", "12.3", "123", "1,230"]


def test_tables_stand_between_their_marks(tmp_path, refused):
    document = tmp_path / "page.md"
    found = read_json(DATA)
    made = performance.tables(found)
    marks = "\n".join(f"<!-- table: {name} -->\nold\n<!-- end -->" for name in made)
    document.write_text(f"before\n{marks}\nafter\n", encoding="utf-8")
    for _ in range(2):
        performance.write_tables(document, found)
        text = document.read_text(encoding="utf-8")
        assert text.startswith("before\n")
        assert text.endswith("\nafter\n")
        assert "old" not in text
        assert all(text.count(table) == 1 for table in made.values())
    document.write_text(marks.replace("table: cuts", "table: other"), encoding="utf-8")
    with refused("no place for the table cuts: write <!-- table: cuts -->"):
        performance.write_tables(document, found)


def test_the_document_says_what_was_measured(tmp_path):
    copy = tmp_path / "performance.md"
    copy.write_text(DOCUMENT.read_text(encoding="utf-8"), encoding="utf-8")
    performance.write_tables(copy, read_json(DATA))
    assert copy.read_text(encoding="utf-8") == DOCUMENT.read_text(encoding="utf-8")


def test_all_models_were_measured_in_both_sizes():
    found = read_json(DATA)
    for size in (PAPER, MINI):
        rows = [row["model"] for row in found["models"] if row["size"] == size.name]
        assert rows == list(models.MODEL_NAMES)
        assert [row["what"] for row in found["cuts"] if row["size"] == size.name] == list(WHAT)


def test_the_command_writes_what_it_found(ocrkit, monkeypatch, tmp_path):
    found = read_json(DATA)
    monkeypatch.setattr(performance, "measure", lambda device, said: said("all") or found)
    code, printed, _ = ocrkit("performance", "--out", tmp_path / "found.json")
    assert code == 0
    assert "measured all" in printed
    assert "| TPS-VGG-BiLSTM-Attn |" in printed
    assert read_json(tmp_path / "found.json") == found


def test_the_command_renews_a_document_without_measuring(ocrkit, tmp_path):
    write_json(tmp_path / "found.json", read_json(DATA))
    document = tmp_path / "page.md"
    document.write_text(DOCUMENT.read_text(encoding="utf-8").replace("|", "!"), encoding="utf-8")
    options = ("--as-it-is", "--out", tmp_path / "found.json", "--doc", document)
    assert ocrkit("performance", *options)[0] == 0
    assert "| model |" in document.read_text(encoding="utf-8")
