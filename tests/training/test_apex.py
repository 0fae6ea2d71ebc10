"""The Apex engine against the signatures of the real Apex: which calls, in which order."""

import sys
from dataclasses import replace
from types import ModuleType

import pytest
import torch
from apex_stand_ins import Apex
from toys import CTC, RECIPE, toy_model, toy_trainer

from ocrkit.models import MODEL_NAMES
from ocrkit.training import engines
from ocrkit.training.distributed import World
from ocrkit.training.engines import check_engine, make_engine

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def install(monkeypatch):
    """Install a stand-in; on a processor, where the real one would not run."""

    def install(*parts: str) -> Apex:
        for name in [name for name in sys.modules if name.split(".")[0] == "apex"]:
            monkeypatch.delitem(sys.modules, name)
        apex = Apex(*parts, replace=monkeypatch.setattr)
        for name, module in apex.modules.items():
            monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr(engines, "check_gpu", lambda device: None)
        return apex

    return install


@pytest.fixture
def of_2019(install) -> Apex:
    return install("amp", "parallel", "optimizers")


@pytest.fixture
def of_today(install) -> Apex:
    return install("optimizers")


@pytest.fixture
def group(tmp_path):
    """A process group of one: enough for whoever asks whether there is one."""
    store = f"file://{tmp_path}/store"
    torch.distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def weights(trainer) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in trainer.model.state_dict().items()}


def equal(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(ours[key], theirs[key]) for key in theirs)


FP16 = replace(RECIPE, precision="fp16")
A_STEP = ["amp.scale_loss", "amp.master_params"]


@pytest.mark.parametrize("name", [CTC, "None-VGG-None-Attn"])
def test_a_run_of_2019_in_its_order(of_2019, name):
    result = toy_trainer(name, recipe=FP16, engine="apex", valid=None).run()
    assert result.precision == "fp16"
    assert of_2019.names == ["amp.initialize", *(8 * A_STEP)]
    _, told = of_2019.calls[0]
    assert told.opt_level == "O1"
    assert isinstance(told.optimizers, torch.optim.AdamW)
    # Scaling by a power of two and back changes nothing: the steps are those of torch's engine,
    # but for the rounding of fp16.
    native = toy_trainer(name, valid=None, recipe=FP16)
    assert result.final_loss == pytest.approx(native.run().final_loss, abs=0.02)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_every_model_takes_fp16_steps(of_2019, name):
    losses, gradients = [], []
    for kind in ("apex", "native"):
        trainer = toy_trainer(name, recipe=FP16, engine=kind)
        engine = trainer.engine
        trainer.model.to(memory_format=torch.contiguous_format)  # as Apex leaves it
        with engine.autocast():
            loss = trainer.task.loss(engine.model, 0)
        engine.backward(loss / 256)  # 65,536 times the loss would overflow in some models
        assert engine.step()
        losses.append(loss.item())
        gradients.append(torch.cat([p.grad.flatten() for p in trainer.model.parameters()]))
    assert losses[0] == losses[1]
    torch.testing.assert_close(*gradients)


def test_torch_s_own_functions_stay(of_2019):
    # What a later run of the same process calls, or a validation in fp32.
    before = torch.nn.functional.conv2d, torch.mm, torch.Tensor.__matmul__
    make_engine("apex", toy_model(CTC), FP16, CPU)
    assert before == (torch.nn.functional.conv2d, torch.mm, torch.Tensor.__matmul__)


def test_the_stand_in_fails_at_the_second_use_of_a_weight_as_apex_does(of_2019):
    model = torch.nn.Linear(3, 3)
    of_2019.modules["apex.amp"].initialize(model, torch.optim.AdamW(model.parameters()))
    assert model(torch.rand(2, 3)).dtype == torch.float16
    with pytest.raises(IndexError, match="tuple index out of range"):
        model(torch.rand(2, 3))


def test_several_processes_in_the_order_of_2019(of_2019, group):
    model = toy_model(CTC)
    options = {"world": World(0, 2, 0), "sync_batch_norm": True}
    engine = make_engine("apex", model, FP16, CPU, **options)
    assert of_2019.names == [
        "parallel.convert_syncbn_model",
        "amp.initialize",
        "parallel.DistributedDataParallel",
    ]
    _, told = of_2019.calls[-1]
    assert told.delay_allreduce
    assert told.module is engine.plain is model
    engine.backward(engine.model(torch.rand(2, 1, 32, 32)).square().mean())
    assert engine.step()
    assert of_2019.names[3:] == A_STEP


def test_without_the_switch_norms_stay(of_2019, group):
    make_engine("apex", toy_model(CTC), FP16, CPU, world=World(0, 2, 0))
    assert "parallel.convert_syncbn_model" not in of_2019.names


def test_an_overflow_moves_nothing(of_2019):
    engine = make_engine("apex", toy_model(CTC), FP16, CPU)
    before = {key: value.clone() for key, value in engine.plain.named_parameters()}
    images = torch.rand(2, 1, 32, 32)
    engine.backward(engine.model(images).mean() * 1e36)  # over float32 once it is scaled
    assert not engine.step()
    assert equal(before, dict(engine.plain.named_parameters()))
    assert engine.state_dict()["amp"]["loss_scaler0"]["loss_scale"] == 2.0**15
    engine.backward(engine.model(images).mean())
    assert engine.step()
    assert not equal(before, dict(engine.plain.named_parameters()))


def test_the_loss_scale_is_saved_and_loaded(of_2019, tmp_path):
    def lower(progress) -> None:
        of_2019.scale = 2.0**10

    whole = toy_trainer(CTC, recipe=FP16, engine="apex")
    whole.run(lower)

    def stop(progress) -> None:
        lower(progress)
        if progress.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy_trainer(CTC, tmp_path, recipe=FP16, engine="apex").run(stop)
    resumed = toy_trainer(CTC, tmp_path, recipe=FP16, engine="apex")
    assert of_2019.scale == 2.0**16
    resumed.run()
    assert of_2019.scale == 2.0**10
    assert equal(weights(resumed), weights(whole))
    # amp.initialize comes first: what it makes is what is loaded into.
    last = len(of_2019.names) - of_2019.names[::-1].index("amp.initialize")
    assert of_2019.names[last] == "amp.load_state_dict"


def test_a_checkpoint_of_another_engine_is_refused(of_2019, tmp_path, refused):
    toy_trainer(CTC, tmp_path, recipe=FP16, engine="apex").run()
    with refused(r"is of another run \(other engine\)"):
        toy_trainer(CTC, tmp_path, recipe=FP16).run()


@pytest.mark.parametrize(
    ("asked", "level", "precision"),
    [("fp32", "O0", "fp32"), ("fp16", "O1", "fp16"), ("auto", "O1", "fp16")],
)
def test_precision_becomes_an_opt_level(of_2019, asked, level, precision):
    engine = make_engine("apex", toy_model(CTC), replace(RECIPE, precision=asked), CPU)
    assert of_2019.calls[0][1].opt_level == level
    assert engine.precision == precision


def test_what_the_apex_of_2019_cannot_do(of_2019, refused):
    with refused("apex.amp knows fp32 and fp16, not bf16: use --engine native"):
        make_engine("apex", toy_model(CTC), replace(RECIPE, precision="bf16"), CPU)
    with refused("do not go together"):
        make_engine("apex", toy_model(CTC), FP16, CPU, compile=True)


def test_a_run_with_the_apex_of_today(of_today):
    result = toy_trainer(CTC, engine="apex", valid=None).run()
    (call,) = of_today.calls
    told = call[1]
    assert call[0] == "optimizers.FusedAdam"
    assert (told.lr, told.betas, told.eps, told.adam_w_mode) == (2e-3, (0.9, 0.99), 1e-6, True)
    assert [group["weight_decay"] for group in told.params] == [0.01, 0.0]
    native = toy_trainer(CTC, valid=None)
    assert result.final_loss == pytest.approx(native.run().final_loss, abs=1e-5)


def test_there_is_no_fused_adadelta(of_today):
    recipe = replace(RECIPE, optimizer="adadelta", learning_rate=1.0, one_cycle=False)
    engine = make_engine("apex", toy_model(CTC), recipe, CPU)
    assert of_today.calls == []
    assert isinstance(engine.optimizer, torch.optim.Adadelta)


def test_an_apex_without_its_kernels(of_today, refused):
    def raises(*_, **__):
        raise RuntimeError("apex.optimizers.FusedAdam requires cuda extensions")

    of_today.modules["apex.optimizers"].FusedAdam = raises
    with refused(r"without its CUDA extensions \(.*requires.*\): build it with them, or use"):
        make_engine("apex", toy_model(CTC), RECIPE, CPU)


def test_the_other_apex_of_pypi(install, refused):
    install()
    with refused("not NVIDIA's .*pip uninstall apex; .*environment.yml"):
        check_engine("apex", GPU)


def test_no_apex_at_all(monkeypatch, refused):
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    with refused("NVIDIA Apex is not installed: .*environment.yml.*github.com/NVIDIA/apex"):
        check_engine("apex", GPU)


def test_apex_needs_a_gpu(monkeypatch, refused):
    for name in ("apex", "apex.optimizers"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(sys.modules["apex.optimizers"], "FusedAdam", None, raising=False)
    with refused("Apex works on GPUs alone: add --device cuda, or use --engine native"):
        check_engine("apex", CPU)
    check_engine("apex", GPU)


def test_an_unknown_engine(refused):
    with refused("no engine 'horovod': choose one of native, apex"):
        toy_trainer(CTC, engine="horovod")


def test_the_stand_ins_refuse_what_apex_would(of_2019):
    amp = of_2019.modules["apex.amp"]
    with pytest.raises(TypeError):
        amp.initialize(toy_model(CTC), None, level="O1")
    with pytest.raises(TypeError):
        amp.scale_loss(torch.zeros(()))
