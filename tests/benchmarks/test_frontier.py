"""The table of accuracy against milliseconds: each engine reads what the model does."""

from pathlib import Path

import frontier
import pandas as pd

from ocrkit import load_checkpoint

STORE = Path(__file__).parents[2] / "data/results/sentence/checkpoints"


def test_every_way_reads_the_same_lines_as_the_model(tmp_path):
    found = []
    for name in ("TPS-VGG-None-CTC", "None-VGG-BiLSTM-Attn"):
        model, info = load_checkpoint(STORE / f"{name}-s1")
        found += frontier.recognizer_engines(model, info["charset"], tmp_path)
    found += frontier.untrained_engines("None-RCNN-None-CTC", tmp_path)
    rows = frontier.measure(found, count=4)
    ways = rows.groupby("model")["way"].agg(list)
    assert ways["TPS-VGG-None-CTC"] == ["torch", "ONNX", "ONNX int8"]
    assert ways["None-VGG-BiLSTM-Attn"] == ["torch", "torch, all steps", "ONNX", "ONNX int8"]
    assert ways["None-RCNN-None-CTC"] == ["torch", "ONNX"]
    assert (rows["ms_a_line"] > 0).all()
    assert (rows["lines"] == 20).all()
    untrained = rows["model"] == "None-RCNN-None-CTC"
    assert rows.loc[untrained, "cer"].isna().all()
    # With TPS's points in 8 bits nothing could be read: 99 %.
    assert (rows.loc[~untrained, "cer"] < 30).all(), rows
    texts = pd.DataFrame({(engine.model, engine.way): engine.texts for engine in found})
    for model in ways.index:
        exact = [way for way in ways[model] if way != "ONNX int8"]
        different = texts[model][exact].nunique(axis=1).sub(1).sum()
        assert different <= 1, f"{model}: rounding changes {different} of 20 texts"
