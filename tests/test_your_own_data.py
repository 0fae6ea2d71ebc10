"""The Python example of docs/your_own_data.md runs as it stands, with fewer steps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from ocrkit.experiments import own

GUIDE = Path(__file__).parent.parent / "docs" / "your_own_data.md"


def test_the_python_example_packs_diagnoses_trains_and_reads(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for table, numbers in (("GT.tsv", range(12)), ("GT_valid.tsv", range(12, 16))):
        labels = []
        for i in numbers:
            pixels = rng.integers(0, 256, (32, 200), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / f"{i}.png")
            labels.append(f"{i}.png\t{'가나다'[i % 3]}{'라마'[i % 2]}")
        rows = "\n".join([*labels, "gone.png\t가"])
        (tmp_path / table).write_text(rows, encoding="utf-8")
    Image.fromarray(rng.integers(0, 256, (32, 90), dtype=np.uint8)).save(tmp_path / "photo.png")

    example = GUIDE.read_text(encoding="utf-8").split("## From Python")[1]
    code = example.split("```python\n")[1].split("```")[0]
    few = replace(own.OWN_RECIPE, steps=2, batch_size=4, validate_every=2)
    code = code.replace("**sizes)\nprint(Reader", "recipe=few, **sizes)\nprint(Reader")
    assert "recipe=few" in code
    exec(code, {"few": few})

    printed = capsys.readouterr().out
    assert printed.startswith("12 packed; 1 left out: ")
    assert "gone.png" in printed
    assert "images a character" in printed
    assert (tmp_path / "runs/own/None-VGG-BiLSTM-CTC.safetensors").is_file()
