"""Every command as a person types it: what it prints, how it ends, what it says when it cannot."""

import csv
import io
import shutil
import signal
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import lmdb
import numpy as np
import pytest
import torch
import typer
from PIL import Image
from rapidfuzz.distance import Levenshtein

from ocrkit import cli
from ocrkit.cli.train import as_sets
from ocrkit.data.store import ImageSet, Item, write_set
from ocrkit.experiments.presets import PRESETS
from ocrkit.models import MODEL_NAMES, load_checkpoint
from ocrkit.page.synthetic import draw_page
from ocrkit.synth import Generation, find_fonts, samples
from ocrkit.training.distributed import ALONE

COMMANDS = (
    *("doctor", "models", "generate", "sweep", "train", "evaluate", "report"),
    *("read", "pack", "diagnose", "papers", "export"),
)
MODEL = "None-VGG-None-CTC"


@pytest.fixture
def here(trained, monkeypatch) -> Path:
    monkeypatch.chdir(trained)
    return trained


@pytest.fixture
def checkpoint(here) -> Path:
    return Path("runs/smoke/checkpoints") / f"{MODEL}-s1"


# Help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(ocrkit, command):
    code, text, _ = ocrkit(command, "--help")
    assert code == 0
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    assert f"ocrkit {command}" in lines[0]
    assert lines[1].endswith((".", ",")) or len(lines[1]) > 40  # a sentence under the usage
    own = [c for c in cli.app.registered_commands if c.callback.__name__ == command]
    assert own[0].callback.__doc__.splitlines()[0].rstrip(".")[:30] in text
    words = set(text.split())
    for option in typer.main.get_command(cli.app).commands[command].params:
        missing = set((option.help or "").split()) - words
        assert not missing, f"{option.name}: {option.help!r} is not shown as it is written"
        for name in (*option.opts, *option.secondary_opts):
            assert name in text, f"{name} is cut off"


def test_the_help_lists_every_command(ocrkit):
    assert {c.callback.__name__ for c in cli.app.registered_commands} == set(COMMANDS)
    code, text, _ = ocrkit("--help")
    assert code == 0
    assert all(command in text for command in COMMANDS)
    assert "24 models" in text


# models, doctor


def test_models_as_a_table(ocrkit, monkeypatch):
    stages = dict.fromkeys(("transformation", "feature", "sequence", "prediction"), 10)
    monkeypatch.setattr("ocrkit.experiments.grid.count_parameters", lambda *_: stages)
    code, text, _ = ocrkit("models")
    assert code == 0
    assert all(name in text for name in MODEL_NAMES)
    assert text.count(" 40 ") == 24  # the stages' sum


def test_doctor(ocrkit, monkeypatch):
    findings = [("torch", True, "2.0"), ("disk", True, "9 GiB free")]
    monkeypatch.setattr("ocrkit.doctor.examine", lambda folder: findings)
    code, text, _ = ocrkit("doctor")
    assert code == 0
    assert [line.split()[:2] for line in text.splitlines()] == [["ok", "torch"], ["ok", "disk"]]
    findings.append(("fonts", False, "none"))
    code, text, _ = ocrkit("doctor")
    assert code == 1
    assert text.splitlines()[-1].split() == ["!!", "fonts", "none"]


# generate, train, sweep


def test_generate_and_the_same_again(here, ocrkit, tmp_path):
    # What `train` drew is there; another word list is other data, in another place.
    code, text, _ = ocrkit("generate", "--preset", "smoke", "--workers", 1)
    assert code == 0
    assert "40 syllables; fingerprint" in text
    words = tmp_path / "words.txt"
    words.write_text("\n".join(f"{a}{b}" for a in "가나다라마바사" for b in "하호후히"), "utf-8")
    place = ["--preset", "smoke", "--workers", 1, "--out", tmp_path / "mine"]
    with words.open("a", encoding="utf-8") as more:
        more.write("\n2024년도\n")
    choices = ["--syllables", 11, "--longest", 3]
    code, other, said = ocrkit("generate", *place, "--words", words, *choices)
    assert code == 0
    changed, rare = said.splitlines()
    assert "left out: 1 words (2024년도 as 년도) are drawn without" in changed
    assert "left out: 1 words (년도) hold other characters than the 11 commonest" in rare
    assert "11 syllables" in other
    assert set("".join(ImageSet(tmp_path / "mine" / "test-basic").texts())) <= set(
        "가나다라마바사하호후히"
    )


def test_train_left_a_row_and_a_checkpoint(here, checkpoint):
    assert checkpoint.with_name(f"{checkpoint.name}.safetensors").is_file()
    with Path("runs/smoke/runs.csv").open(encoding="utf-8") as rows:
        (row,) = csv.DictReader(rows)
    assert (row["model"], row["status"], row["preset"]) == (MODEL, "ok", "smoke")
    assert float(row["latency_1_ms_median"]) > 0
    assert Path("runs/smoke/curves.csv").read_text(encoding="utf-8").count(MODEL) == 1


def test_a_sweep_of_what_is_done_does_nothing_twice(here, ocrkit):
    row = Path(f"runs/smoke/rows/{MODEL}-s1.json")
    before = row.stat().st_mtime_ns
    code, text, _ = ocrkit("sweep", "-p", "smoke", "-m", MODEL, "--workers", 1)
    assert code == 0
    assert "1 of 1 runs" in text
    assert row.stat().st_mtime_ns == before


@pytest.mark.parametrize("own", [(), (MODEL,)])
def test_a_sweep_takes_the_presets_models_or_all(here, complains, monkeypatch, tmp_path, own):
    taken = []
    monkeypatch.setattr(
        "ocrkit.experiments.runner.sweep", lambda _, __, runs, *___, **____: taken.extend(runs)
    )
    monkeypatch.setitem(PRESETS, "smoke", replace(PRESETS["smoke"], models=own))
    complains("sweep", "-p", "smoke", "--out", tmp_path)  # that nothing was trained
    assert [run.model for run in taken] == list(own or MODEL_NAMES)


def test_a_sweep_with_failures_says_which(here, complains, monkeypatch, tmp_path):
    monkeypatch.setattr("ocrkit.experiments.runner.sweep", lambda *_, **__: None)
    said = complains("sweep", "-p", "smoke", "-m", "TPS-VGG-None-CTC", "--out", tmp_path)
    assert "failed, and tried again next time: TPS-VGG-None-CTC-s1" in said


def test_an_unknown_model_suggests_the_nearest(complains):
    assert "did you mean TPS-VGG-BiLSTM-Attn?" in complains("train", "tps-vgg-bilstm-atn")
    assert "did you mean None-RCNN-None-CTC?" in complains("sweep", "-m", "None-RCN-None-CTC")


@pytest.mark.parametrize("command", ["generate", "sweep", "report"])
def test_an_unknown_preset_names_the_known(complains, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    known = "smoke, mini, mini-adamw, sentence, sentence-ten, mix, paper-v1, paper-v2, paper-taste"
    assert f"choose one of {known}" in complains(command, "-p", "huge")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("device", "said"), [("gpu", "unknown device 'gpu'"), ("cuda", "there is no cuda here")]
)
def test_a_device_that_is_not_there(complains, tmp_path, monkeypatch, device, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert said in complains("train", MODEL, "-p", "smoke", "--device", device)
    assert list(tmp_path.iterdir()) == []  # before anything was drawn


@pytest.mark.parametrize("command", [["train", MODEL], ["sweep", "-m", MODEL]])
def test_a_folder_that_cannot_be_written_is_found_out_first(
    complains, tmp_path, monkeypatch, command
):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert "cannot write file/x: " in complains(*command, "-p", "smoke", "--out", "file/x")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]  # nothing was drawn


def test_options_for_own_sets_are_not_passed_over(complains, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for option in ("--valid", "--charset", "--steps", "--image-width"):
        said = complains("train", MODEL, "-p", "smoke", option, "64")
        assert f"{option} is for sets of your own: give them with --train" in said


def test_ctrl_c_says_that_nothing_is_lost(here, ocrkit, monkeypatch, tmp_path):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("ocrkit.experiments.runner.sweep", stopped)
    code, _, complaint = ocrkit("sweep", "-p", "smoke", "-m", MODEL, "--out", tmp_path)
    assert code == 130
    assert "goes on from where it was" in complaint
    assert "Traceback" not in complaint
    monkeypatch.setattr("ocrkit.data.pack.pack", stopped)
    assert ocrkit("pack", "gt.tsv", "images", tmp_path / "set")[::2] == (130, "stopped\n")


def test_a_missing_argument_shows_the_usage(ocrkit):
    code, _, complaint = ocrkit("train")
    assert code == 2
    assert "Usage: ocrkit train" in complaint


# evaluate, report


def test_evaluate_scores_sets(checkpoint, ocrkit):
    sets = [f"data/generated/smoke/test-{kind}" for kind in ("basic", "blur")]
    code, text, complaint = ocrkit("evaluate", checkpoint, *sets)
    assert (code, complaint) == (0, "")
    assert MODEL in text
    assert "test-basic" in text
    assert "test-blur" in text


def test_evaluate_says_what_it_cannot_count(checkpoint, ocrkit, tmp_path):
    good = ImageSet("data/generated/smoke/test-basic").image_bytes(0)
    content = [Item(good, "뷁"), Item(good, "가"), Item(b"junk", "나")]
    write_set(tmp_path / "[mine]", content, verify=False)
    code, _, complaint = ocrkit("evaluate", checkpoint, tmp_path / "[mine]")
    assert code == 0
    outside, broken = complaint.splitlines()
    assert "[mine]: 1 of 2 labels hold characters outside" in outside
    assert "[mine]: image 2 left out: the image does not decode" in broken


def test_evaluate_pads_where_that_is_wanted(checkpoint, ocrkit, tmp_path):
    good = ImageSet("data/generated/smoke/test-basic").image_bytes(0)
    write_set(tmp_path / "mine", [Item(good, "가")])
    for choice in ([], ["--stretch"], ["--pad"]):
        assert ocrkit("evaluate", checkpoint, tmp_path / "mine", *choice)[0] == 0
        assert bool(list((tmp_path / "mine").glob("pixels-*-pad.npy"))) == (choice == ["--pad"])


def test_evaluate_leaves_out_empty_labels_and_names_those_too_long(checkpoint, ocrkit, tmp_path):
    good = ImageSet("data/generated/smoke/test-basic").image_bytes(0)
    (tmp_path / "set").mkdir()
    with lmdb.open(str(tmp_path / "set"), map_size=2**22) as env, env.begin(write=True) as out:
        for i, text in enumerate(("가" * 60, " ", "가"), start=1):
            out.put(b"image-%09d" % i, good)
            out.put(b"label-%09d" % i, text.encode())
        out.put(b"num-samples", b"3")
    code, text, complaint = ocrkit("evaluate", checkpoint, tmp_path / "set")
    assert code == 0
    assert text.split()[-1] == "2"  # images that were scored
    assert "1 of 3 labels are empty, and left out" in complaint
    assert "1 of 3 labels are too long for the model" in complaint


def test_a_name_that_is_wrong_is_found_before_the_work_on_the_others(
    complains, monkeypatch, tmp_path
):
    def work(*_: object) -> None:
        raise AssertionError("begun")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ocrkit.papers.shared.study.run_study", work)
    assert "no study 'craftt'" in complains("papers", "craft", "craftt")
    monkeypatch.setattr("ocrkit.cli.use._read_lines", work)
    picture = io.BytesIO()
    Image.linear_gradient("L").save(picture, "PNG")
    write_set("mine", [Item(picture.getvalue(), "가")])
    assert "gone is missing" in complains("evaluate", "reader-ko", "mine", "gone")


def test_evaluate_of_a_line_reader_takes_labels_in_any_form(ocrkit, monkeypatch, tmp_path):
    line = SimpleNamespace(text="가나 다라")
    reader = SimpleNamespace(read_lines=lambda images: [line] * len(images))
    monkeypatch.setattr("ocrkit.cli.use.load_reader", lambda *_, **__: reader)
    picture = io.BytesIO()
    Image.new("L", (90, 30), 255).save(picture, "PNG")
    labels = unicodedata.normalize("NFD", "가나 다라"), " 가나  다라 ", "가나 다라"
    write_set(tmp_path / "mine", [Item(picture.getvalue(), label) for label in labels])
    code, table, _ = ocrkit("evaluate", "reader-ko", tmp_path / "mine")
    assert code == 0
    (row,) = (line.split() for line in table.splitlines() if "mine" in line)
    assert row[:3] + row[-2:] == ["mine", "3", "100.0", "0.0000", "0.0000"]


def test_an_export_reads_as_the_references_own_files_do(checkpoint, ocrkit, complains, tmp_path):
    set_, made = "data/generated/smoke/test-basic", tmp_path / "best_accuracy.pth"
    code, told, _ = ocrkit("export", checkpoint, "--out", made)
    assert code == 0
    characters = tmp_path / "best_accuracy.characters.txt"
    assert "--FeatureExtraction VGG --SequenceModeling None --Prediction CTC" in told
    assert f'--saved_model {made} --character "$(cat {characters})"' in told
    stored = torch.load(made, weights_only=True)
    assert "module.FeatureExtraction.ConvNet.0.weight" in stored
    options = ("--charset", characters, "--image-width", PRESETS["smoke"].image_width)
    code, scored, _ = ocrkit("evaluate", made, set_, *options)
    assert code == 0
    assert scored.split("fork")[1] == ocrkit("evaluate", checkpoint, set_)[1].split("fork")[1]
    image = tmp_path / "a.jpg"
    image.write_bytes(ImageSet(set_).image_bytes(0))
    read = ["read", image, "--force", "--checkpoint"]
    assert ocrkit(*read, made, *options)[1] == ocrkit(*read, checkpoint)[1]
    assert "give them, in the order of its training, with --charset" in complains(
        "evaluate", made, set_
    )
    characters.write_text("가나다", encoding="utf-8")
    said = complains("evaluate", made, set_, *options)
    assert "has 41 classes but this charset makes 4" in said
    said = complains("export", checkpoint, "--out", tmp_path / "m.bin")
    assert "end it in .onnx or .pth" in said
    said = complains("export", "--out", made)
    assert "cannot run the line reader" in said
    said = complains("evaluate", checkpoint, set_, "--charset", "972")
    assert "knows its own characters and sizes" in said


def test_models_are_exported_as_onnx_and_the_line_reader_reads_from_it(
    checkpoint, ocrkit, complains, tmp_path
):
    one, reader = tmp_path / "one.onnx", tmp_path / "reader.onnx"
    code, told, _ = ocrkit("export", checkpoint, "--out", one)
    assert code == 0
    width = PRESETS["smoke"].image_width
    assert f"{one}: images (batch, 1, 32, {width}) in [-1, 1] -> logits" in told
    assert "leave it out for the 24" in complains("export", checkpoint, "--out", one, "--int8")
    assert ocrkit("export", "--out", reader)[0] == 0
    page = tmp_path / "page.png"
    Image.fromarray(draw_page("receipt").image).save(page)
    code, text, _ = ocrkit("read", page, "--checkpoint", reader)
    assert code == 0
    # Another order of summing may decide a tie the other way.
    assert Levenshtein.distance(text, ocrkit("read", page)[1]) <= 2
    assert len(text) > 100
    assert "is no line reader" in complains("read", page, "--checkpoint", one)


def test_a_set_of_which_no_image_decodes_is_no_score_of_any_model(checkpoint, complains, tmp_path):
    write_set(tmp_path / "s", [Item(b"junk", "나")], verify=False)
    for model in (checkpoint, "reader-ko"):
        assert "decodes (first: " in complains("evaluate", model, tmp_path / "s")


def test_evaluate_writes_what_was_misread(checkpoint, ocrkit, complains, tmp_path):
    good = ImageSet("data/generated/smoke/test-basic").image_bytes(0)
    write_set(tmp_path / "s", [Item(good, "<b>뷁</b>"), Item(b"junk", "나")], verify=False)
    for model in (checkpoint, "reader-ko"):
        page = tmp_path / "pages" / f"{Path(model).name}.html"
        code, out, _ = ocrkit("evaluate", model, tmp_path / "s", "--errors", page)
        assert code == 0
        assert f"1 misread images: {page}" in out
        text = page.read_text(encoding="utf-8")
        assert "1 of 1 images misread" in text
        assert "s, image 0" in text
        assert "<b>" not in text
    assert "spaces" in out
    assert "is a folder" in complains("evaluate", checkpoint, tmp_path / "s", "--errors", tmp_path)
    note = f"{checkpoint}.json"  # the file that --errors would have replaced
    assert "end it in .html" in complains("evaluate", checkpoint, tmp_path / "s", "--errors", note)
    Path(tmp_path / "file").touch()
    said = complains("evaluate", checkpoint, tmp_path / "s", "--errors", tmp_path / "file/x.html")
    assert "cannot write" in said
    assert "for the 24" in complains("evaluate", "reader-ko", tmp_path / "s", "--pad")


@pytest.mark.parametrize("command", ["evaluate", "read"])
@pytest.mark.parametrize("model", ["own", "reader-ko"])
def test_a_device_to_read_on(checkpoint, complains, ocrkit, tmp_path, command, model):
    image = tmp_path / "a.jpg"
    image.write_bytes(ImageSet("data/generated/smoke/test-basic").image_bytes(0))
    name = checkpoint if model == "own" else model
    what = [name, "data/generated/smoke/test-basic"]
    what = what if command == "evaluate" else ["--checkpoint", name, image]
    assert "unknown device 'gpu'" in complains(command, *what, "--device", "gpu")
    assert ocrkit(command, *what, "--device", "cpu")[0] == 0


def test_evaluate_of_nothing(checkpoint, complains, tmp_path):
    assert "is missing" in complains("evaluate", tmp_path / "gone", tmp_path)
    assert "has no data.mdb" in complains("evaluate", checkpoint, tmp_path)


def test_report_prints_tables_writes_the_page_with_the_claims_and_names_a_damaged_row(
    here, forked, ocrkit, tmp_path
):
    shutil.copytree("runs/smoke/rows", tmp_path / "rows")
    (tmp_path / "rows" / "other-s1.json").write_text('{"history": [1]}', encoding="utf-8")
    code, text, said = ocrkit("report", "-p", "smoke", "--out", tmp_path)
    assert code == 0
    assert "Table 1" in text
    assert "Table 2" in text
    assert "88.24" in text
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "holds in part" in page
    assert MODEL in page
    assert "<table" in page
    line, *more = said.splitlines()
    assert line.startswith("left out: ")
    assert not more
    assert "other-s1.json is of another shape: model: Field required" in line


def test_a_report_without_a_run(complains, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ocrkit.report.reference_results", lambda preset: None)
    assert "start one with `ocrkit sweep -p smoke`" in complains("report", "-p", "smoke")


# read


def test_read_prints_path_text_and_confidence(checkpoint, ocrkit, tmp_path):
    image = tmp_path / "a rather long path, longer than a terminal is wide" / ("x" * 60) / "[s].jpg"
    image.parent.mkdir(parents=True)
    image.write_bytes(ImageSet("data/generated/smoke/test-basic").image_bytes(0))
    code, text, complaint = ocrkit("read", "--checkpoint", checkpoint, image)
    assert code == 0
    (line,) = text.splitlines()
    path, read, confidence = line.split("\t")
    assert path == str(image)
    assert len(read) <= 15
    assert 0 <= float(confidence) <= 1
    assert f"{MODEL} knows 40 syllables" in complaint.splitlines()[0]


def test_a_folder_is_read_file_by_file(checkpoint, ocrkit, complains, tmp_path):
    good, folder = ImageSet("data/generated/smoke/test-basic").image_bytes(0), tmp_path / "scans"
    (folder / "below").mkdir(parents=True)
    for name in ("b.jpg", "a.JPG", "below/c.jpg", ".hidden.jpg"):
        (folder / name).write_bytes(good)
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    code, text, _ = ocrkit("read", "--checkpoint", checkpoint, folder, folder / "below" / "c.jpg")
    assert code == 0
    read = [line.split("\t")[0] for line in text.splitlines()]
    assert read == [str(folder / name) for name in ("a.JPG", "b.jpg", "below/c.jpg")]
    (tmp_path / "empty").mkdir()
    said = complains("read", tmp_path / "empty")
    assert "empty holds no picture and no PDF" in said


def test_read_refuses_a_page_and_a_text_file_and_reads_the_rest(checkpoint, ocrkit, tmp_path):
    odd = tmp_path / "odd[" / "b].png"  # what looks like markup must not be taken for it
    odd.parent.mkdir()
    odd.write_text("이것은 글입니다", encoding="utf-8")
    page = tmp_path / "page.png"
    paper = np.full((1100, 800), 255, np.uint8)
    paper[500:520, 100:700] = 0
    Image.fromarray(paper).save(page)
    good = tmp_path / "good.jpg"
    good.write_bytes(ImageSet("data/generated/smoke/test-basic").image_bytes(0))
    code, text, complaint = ocrkit("read", "--checkpoint", checkpoint, odd, page, good)
    assert code == 1
    assert [line.split("\t")[0] for line in text.splitlines()] == [str(good)]
    lines = complaint.splitlines()
    assert lines[1].startswith(f"{odd}: the image does not decode: this is no picture file (PNG,")
    assert lines[2].startswith(f"{page}: the image is 800 x 1100 pixels, higher than wide")
    code, text, complaint = ocrkit("read", "--checkpoint", checkpoint, page, "--force")
    assert (code, len(text.splitlines())) == (0, 1)
    assert "cut the page into lines" in complaint


def test_a_folder_says_what_in_it_was_meant(checkpoint, complains):
    sets, models = Path("data/generated/smoke"), Path(checkpoint).parent
    assert f"such as {checkpoint}" in complains("evaluate", models, sets)
    assert f"it holds 10: give one, such as {sets / 'seen-basic'}" in complains(
        "evaluate", checkpoint, sets
    )
    assert "`ocrkit pack` makes one" in complains("evaluate", checkpoint, models)
    assert "gone is missing" in complains("evaluate", checkpoint, "gone")


def test_errors_keep_brackets_and_stay_on_one_line(complains, tmp_path):
    gone = tmp_path / "[bold]" / ("long" * 30) / "[/x]"
    assert str(gone) in complains("read", "--checkpoint", gone, "a.png")


def test_python_m_ocrkit_is_ocrkit(monkeypatch, capsys):
    import runpy

    monkeypatch.setattr(sys, "argv", ["ocrkit", "--help"])
    heard = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as end:
            runpy.run_module("ocrkit", run_name="__main__", alter_sys=False)
    finally:  # it ends deaf to Ctrl-C, as its process would be about to do
        signal.signal(signal.SIGINT, heard)
    assert not end.value.code
    assert "doctor" in capsys.readouterr().out


# Your own data


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """A folder of labelled pictures, one of them broken."""
    monkeypatch.chdir(tmp_path)
    words = ("가나", "나다", "다라", "라가")
    drawn = Generation("basic", 60, 1, words, tuple(find_fonts()), words_per_label=1)
    Path("images").mkdir()
    lines = []
    for one in samples(drawn):
        Path(f"images/{one.index}.jpg").write_bytes(one.image)
        lines.append(f"{one.index}.jpg\t{one.label}")
    Path("images/broken.jpg").write_bytes(b"no picture")
    Path("train.tsv").write_text("\n".join([*lines[:40], "broken.jpg\t가나"]), encoding="utf-8")
    Path("valid.tsv").write_text("\n".join(lines[40:]), encoding="utf-8")
    return tmp_path


def test_from_a_folder_of_images_to_a_reader(own, ocrkit):
    code, out, err = ocrkit("pack", "train.tsv", "images", "train")
    assert code == 0
    assert "40 images, 1 left out" in out
    assert "broken.jpg" in err
    assert ocrkit("pack", "valid.tsv", "images", "valid")[0] == 0

    code, out, _ = ocrkit("diagnose", "train", "--model", MODEL, "--test", "valid")
    assert code == 0
    assert "warn" in out  # forty images teach nobody to read

    options = ("--image-width", "64", "--width", "0.05", "--steps", "3", "--batch-size", "8")
    code, out, _ = ocrkit("train", MODEL, "--train", "train", "--valid", "valid", *options)
    assert code == 0
    assert f"runs/own/{MODEL}" in out

    code, out, _ = ocrkit("read", "--checkpoint", f"runs/own/{MODEL}", "images/0.jpg")
    assert code == 0
    assert out.startswith("images/0.jpg\t")


def test_a_diagnosis_stops_what_cannot_be_said(own, ocrkit):
    ocrkit("pack", "train.tsv", "images", "train")
    code, out, _ = ocrkit("diagnose", "train", "--model", "None-VGG-None-Attn", "--max-length", "1")
    assert code == 1
    assert "stop" in out
    assert "max_length" in out or "length" in out


def test_a_diagnosis_takes_a_preset(own, ocrkit):
    ocrkit("pack", "train.tsv", "images", "train")
    code, out, _ = ocrkit("diagnose", "train", "--model", MODEL, "--preset", "mini")
    assert code == 0
    assert "of 80 characters of the charset" in out  # the preset's, not the few of the labels


def test_fine_tuning_from_a_checkpoint_and_from_a_reference_file(own, ocrkit, complains):
    for name in ("train", "valid"):
        ocrkit("pack", f"{name}.tsv", "images", name)
    sets = ("--train", "train", "--valid", "valid", "--steps", "3", "--batch-size", "8")
    Path("few.txt").write_text("가나다", encoding="utf-8")
    code, *_ = ocrkit("train", MODEL, *sets, "--image-width", "64", "--width", "0.05", "--pad")
    assert code == 0
    first = f"runs/own/{MODEL}"
    more = (*sets, "--out", "runs/more")
    code, out, _ = ocrkit("train", "--from", first, *more, "--steps", "4")
    assert code == 0
    assert f"from {first}: all 10 layers are kept, 4 characters of 4 are known" in out
    assert "stop" not in out
    made, note = load_checkpoint(f"runs/more/{MODEL}")
    assert (made.image_width, made.width, note["info"]["pad"]) == (64, 0.05, True)
    assert "another from" in complains(
        "train", MODEL, *more, "--steps", "4", "--width", "0.05", "--image-width", "64", "--pad"
    )

    assert ocrkit("export", first, "--out", "mine.pth")[0] == 0
    begin = ("train", "--from", "mine.pth", *sets, "--out", "runs/third")
    assert "give them, in the order of its training, with --from-charset" in complains(*begin)
    begin += ("--from-charset", "mine.characters.txt", "--image-width", "72")
    code, out, _ = ocrkit(*begin)
    assert code == 0
    assert "4 characters of 4 are known; its images were 100 pixels wide, these are 72" in out


def test_fine_tuning_that_cannot_begin(here, checkpoint, ocrkit, complains, tmp_path):
    sets = ("--train", "data/generated/smoke/train-basic", "--out", tmp_path / "out")
    other = ("train", "TPS-VGG-None-CTC", "--from", checkpoint)
    assert f"is a {MODEL}, not a TPS-VGG-None-CTC" in complains(*other, *sets)
    wide = ("train", "--from", checkpoint, "--width", "1")
    assert "leave --width out" in complains(*wide, *sets)
    assert "gone.safetensors is missing" in complains("train", "--from", "gone", *sets)
    said = complains("train", MODEL, *sets, "--from-charset", "972")
    assert "--from-charset is for a .pth file: give it with --from" in said
    assert not (tmp_path / "out").exists()
    said = complains("train", "--from", checkpoint, "-p", "smoke", "--pad")
    assert "--pad is for sets of your own" in said


def test_fine_tuning_on_a_presets_images(here, checkpoint, ocrkit, tmp_path):
    code, out, _ = ocrkit(
        *("train", "--from", checkpoint, "--preset", "smoke", "--steps", "2", "--out", tmp_path)
    )
    assert code == 0
    assert "40 characters of 40 are known" in out
    assert load_checkpoint(tmp_path / MODEL)[1]["info"]["step"] == 2
    assert not (tmp_path / "rows").exists()


@pytest.mark.parametrize(("typed", "limit"), [((), 0.5), (("--unfit-limit", "0.2"), 0.2)])
def test_fine_tuning_on_a_presets_images_keeps_its_limit(
    here, checkpoint, ocrkit, monkeypatch, tmp_path, typed, limit
):
    smoke = replace(PRESETS["smoke"], unfit_limit=0.5)
    monkeypatch.setitem(PRESETS, "smoke", smoke)
    given = []
    monkeypatch.setattr(
        "ocrkit.experiments.own.train_own", lambda *_, **settings: given.append(settings)
    )
    ocrkit("train", "--from", checkpoint, "--preset", "smoke", "--out", tmp_path, *typed)
    assert given[0]["unfit_limit"] == limit


def test_the_line_reader_is_tuned_on_own_lines_and_reads(own, ocrkit, complains):
    for name in ("train", "valid"):
        ocrkit("pack", f"{name}.tsv", "images", name)
    sets = ("--train", "train", "--valid", "valid")
    steps = ("--steps", "2", "--batch-size", "4", "--out", "tuned")
    code, out, _ = ocrkit("train", "--from", "reader-ko", *sets, *steps)
    assert code == 0
    assert "checkpoint: tuned/reader-ko" in out
    assert ocrkit("train", "--from", "tuned/reader-ko", *sets, "--steps", "1", "--out", "2")[0] == 0
    for model in ("tuned/reader-ko", "2/reader-ko"):
        code, out, _ = ocrkit("read", "--checkpoint", model, "images/0.jpg")
        assert code == 0
    assert "for the 24 models" in complains("train", "reader-ko", *sets, "--image-width", "64")
    assert "is a line reader, not a" in complains("train", MODEL, "--from", "reader-ko", *sets)
    assert "can be read with, not trained" in complains("train", "--from", "a.onnx", *sets)
    assert "give --train SETS" in complains("train", "--from", "reader-ko")
    assert "has no data.mdb" in complains("train", "reader-ko", "--train", "images", "--out", "3")
    shutil.copy("train.tsv", "images")
    tuning = ("train", "reader-ko", "--train", "images", "--out", "4")
    for typed in (("--precision", "fp8"), ("--device", "moon"), ("--engine", "jet")):
        assert typed[1] in complains(*tuning, *typed)
    assert not Path("4").exists()  # nothing was packed


def test_a_folder_of_labelled_images_is_trained_on_as_it_is(own, ocrkit, complains):
    # With its table inside, as EasyOCR has them.
    table = Path("train.tsv").read_text(encoding="utf-8").replace("\t", ",")
    Path("images/labels.csv").write_text(f"filename,words\n{table}", encoding="utf-8")
    steps = ("--steps", "2", "--batch-size", "4")
    sizes = ("--image-width", "64", "--width", "0.05")
    for model, more in (("reader-ko", ()), (MODEL, sizes)):
        command = ("train", model, "--train", "images", *steps, *more, "--out", f"run-{model}")
        code, out, err = ocrkit(*command)
        assert code == 0
        assert f"run-{model}/sets/images: 40 images, 1 left out" in out
        assert "left out: images/labels.csv, line 42 (broken.jpg)" in err
        before = Path(f"run-{model}/{model}.safetensors").stat().st_mtime_ns
        assert ocrkit(*command)[0] == 0  # packed again, it is the same set, and the run is done
        assert Path(f"run-{model}/{model}.safetensors").stat().st_mtime_ns == before
    Path("images/more.txt").write_text("a b", encoding="utf-8")
    assert "holds 2 tables" in complains("train", MODEL, "--train", "images")


def test_folders_of_one_name_are_two_sets(own, ocrkit):
    lines = Path("train.tsv").read_text(encoding="utf-8").splitlines()
    for year, part in (("2023", lines[:30]), ("2024", lines[30:40])):
        shutil.copytree("images", f"{year}/images")
        Path(f"{year}/images/labels.tsv").write_text("\n".join(part), encoding="utf-8")
    made = Path("sets/images"), Path("sets/images-2")
    for _ in range(2):  # started again, each goes by the same name
        given = [Path("2023/images"), Path("2024/images"), Path("2024/../2023/images")]
        assert as_sets(ALONE, given, Path("2024/images"), Path()) == (
            [*made, made[0]],
            made[1],
        )
        assert [len(ImageSet(path)) for path in made] == [30, 10]
    # A set that is given as it is, is not written over by a folder of its name.
    assert as_sets(ALONE, [made[0], Path("2024/images")], None, Path())[0] == list(made)
    assert len(ImageSet(made[0])) == 30
