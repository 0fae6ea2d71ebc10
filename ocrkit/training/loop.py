"""One visible training loop: loss, backward, clip, step; validate; save.

What is learned is the task's business: reading (`trainer.py`), or what a paper of the reading list
teaches (`ocrkit/papers/`).
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import torch

from ocrkit.errors import OcrkitError
from ocrkit.files import atomic_file, check_shape
from ocrkit.models.checkpoints import check_finite
from ocrkit.processes import keep_freed_memory
from ocrkit.schemas import TrainingState
from ocrkit.training import checkpoint
from ocrkit.training.distributed import ALONE, World, translate_distributed_errors
from ocrkit.training.engines import make_engine
from ocrkit.training.interruption import Interrupted, stop_requested
from ocrkit.training.recipe import Recipe, make_schedule

_CPU = torch.device("cpu")
_KEPT = ("step", "seconds", "cpu_seconds", "loss", "history")  # of a loop, in its checkpoints


@dataclass(frozen=True)
class Progress:
    """One step of a run; `valid_accuracy` is the first score of a validation, if any."""

    step: int
    steps: int
    loss: float
    seconds: float
    valid_accuracy: float | None = None


@dataclass
class TrainingResult:
    """A finished run: its history (one row a validation), and what it cost."""

    history: list[dict[str, float]]
    steps: int
    images: int
    seconds: float  # wall clock of the training steps and validations, over all its interruptions
    cpu_seconds: float  # processor time of the same; tells a busy machine from a slow model
    precision: str
    final_loss: float


class Task(Protocol):
    """What a model learns. (`Any`: each task knows what its own models offer.)"""

    def loss(self, model: Any, step: int) -> torch.Tensor:
        """The loss of this step's batch (from 0), on the model's device; called under autocast.

        Where several processes share the work: of this one's part, weighted so that the mean over
        the processes is the whole batch's.
        """
        ...

    def validate(self, model: Any) -> dict[str, float]:
        """How good the model is: numbers for the history, the telling one first; or nothing."""
        ...


class Loop:
    """One run: a model, a task and a recipe.

    model: moved to `device`.
    seed: what the order of the images depends on (the weights are the caller's).
    folder: where checkpoints and `history.csv` go; None keeps nothing.
    identity: what must be the same for a checkpoint to be gone on from.
    save_every: seconds between checkpoints.
    world: which of several processes this is; they are connected already. Each takes its part
        of every batch, rank 0 alone validates, reports and writes.
    engine: "native" or "apex".
    compile: let torch.compile make the model's own kernels.
    sync_batch_norm: let batch norm count all processes' images. Without it each counts its
        own, and several processes do not take quite the steps of one.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        task: Task,
        recipe: Recipe,
        seed: int = 0,
        *,
        device: torch.device = _CPU,
        folder: Path | None = None,
        identity: dict[str, Any] | None = None,
        save_every: float = 30.0,
        world: World = ALONE,
        engine: str = "native",
        compile: bool = False,
        sync_batch_norm: bool = False,
    ) -> None:
        self.task, self.recipe, self.device, self.world = task, recipe, device, world
        self.folder, self.save_every = folder, save_every
        options = {"world": world, "compile": compile, "sync_batch_norm": sync_batch_norm}
        self.engine = make_engine(engine, model, recipe, device, **options)
        self.model, self.precision = self.engine.plain, self.engine.precision
        self.schedule = make_schedule(recipe, self.engine.optimizer)
        self.identity = {**(identity or {}), "recipe": asdict(recipe), "seed": seed}
        if engine != "native":  # its state is of another shape
            self.identity["engine"] = engine
        self.step, self.seconds, self.cpu_seconds, self.loss = 0, 0.0, 0.0, math.nan
        self.history: list[dict[str, float]] = []
        self.stopping = False

    def run(self, watch: Callable[[Progress], None] = lambda progress: None) -> TrainingResult:
        """Train to the recipe's last step, from the last checkpoint in the folder if there is one.

        Raises OcrkitError: the loss became NaN or infinite, the checkpoint is of another run, or
        another process was lost; Interrupted: a SIGTERM came (where it is heeded), and the run is
        saved.
        """
        keep_freed_memory()
        with translate_distributed_errors(self.world):
            self._resume()
            self._go_on(watch)
        return TrainingResult(
            history=self.history,
            steps=self.step,
            images=self.step * self.recipe.batch_size,
            seconds=self.seconds,
            cpu_seconds=self.cpu_seconds,
            precision=self.precision,
            final_loss=self.loss,
        )

    def _go_on(self, watch: Callable[[Progress], None]) -> None:
        clock, cpu = time.perf_counter(), time.process_time()
        base, cpu_base, saved = self.seconds, self.cpu_seconds, clock
        while self.step < self.recipe.steps:
            self._one_step()
            now = time.perf_counter()
            self.seconds = base + now - clock
            self.cpu_seconds = cpu_base + time.process_time() - cpu
            accuracy = None
            last = self.step == self.recipe.steps
            if self.world.is_main:
                if last or self.step % self.recipe.validate_every == 0:
                    accuracy = self._validate()
                watch(Progress(self.step, self.recipe.steps, self.loss, self.seconds, accuracy))
                if self.folder and (last or self.stopping or now - saved > self.save_every):
                    self._save(self.folder)
                    saved = now
            if self.stopping and not last:
                self.world.barrier()  # nobody leaves before rank 0 has saved
                raise Interrupted

    def _one_step(self) -> None:
        self.engine.model.train()
        with self.engine.autocast():
            loss = self.task.loss(self.engine.model, self.step)
        self.engine.backward(loss)
        if self.engine.step() and self.schedule:
            self.schedule.step()
        self.step += 1
        # Reading the loss waits for a GPU; every tenth step is often enough to notice a NaN.
        if self.device.type == "cpu" or self.step % 10 == 0 or self.step == self.recipe.steps:
            self.loss, stops = self.world.mean(loss.item(), float(stop_requested()))
            self.stopping = stops > 0  # by any of them
            if not math.isfinite(self.loss):
                raise OcrkitError(
                    f"the loss became {self.loss} at step {self.step}: lower the learning rate "
                    f"({self.recipe.learning_rate}) or use precision fp32"
                )

    def _validate(self) -> float | None:
        scores = self.task.validate(self.model)
        if not scores:
            return None
        self.history.append(
            {
                "step": self.step,
                "images": self.step * self.recipe.batch_size,
                "seconds": round(self.seconds, 2),
                "train_loss": self.loss,
                **scores,
            }
        )
        return next(iter(scores.values()))

    def _save(self, folder: Path) -> None:
        checkpoint.save_state(
            folder,
            {
                "identity": self.identity,
                "model": self.model.state_dict(),
                "optimizer": self.engine.optimizer.state_dict(),
                "engine": self.engine.state_dict(),
                "schedule": self.schedule.state_dict() if self.schedule else None,
                **{name: getattr(self, name) for name in _KEPT},
                "random": checkpoint.random_state(),
            },
        )
        if self.history:
            with atomic_file(folder / "history.csv") as temporary:
                pd.DataFrame(self.history).to_csv(temporary, index=False, na_rep="nan")

    def _resume(self) -> None:
        folder = self.folder
        if not folder:
            return
        # Rank 0's, sent to all: they go on from the same one, even where they share no disk.
        state = self.world.broadcast_from_main(
            lambda: checkpoint.load_state(folder, self._try_state)
        )
        if state is None:
            return
        ours, theirs = self.identity, state["identity"]
        if theirs != ours:
            raise OcrkitError(
                f"the checkpoint in {folder} is of another run (other "
                f"{checkpoint.differences(ours, theirs)}): delete the folder, or choose another"
            )
        self._set_state(state)

    def _try_state(self, state: dict[str, Any]) -> None:
        """Can this training go on from the state? Another run's is looked at no further."""
        check_shape(state, TrainingState, "the state")
        if state["identity"] == self.identity:
            check_finite(state["model"], "the state")
            if state["step"] > self.recipe.steps:
                raise OcrkitError(f"step {state['step']} of {self.recipe.steps}")
            self._set_state(state)

    def _set_state(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        optimizer = self.engine.optimizer
        optimizer.load_state_dict(state["optimizer"])
        # A fused optimizer walks through a weight and its moments as they lie in memory, so all
        # must lie alike; those of another ocrkit or another precision may not.
        for parameter, moments in optimizer.state.items():
            for name, moment in moments.items():
                if moment.shape == parameter.shape:
                    alike = torch.empty_like(parameter, dtype=moment.dtype)
                    moments[name] = alike.copy_(moment)
        if "engine" in state:
            self.engine.load_state_dict(state["engine"])
        if self.schedule:
            self.schedule.load_state_dict(state["schedule"])
        for name in _KEPT:
            setattr(self, name, state[name])
        checkpoint.set_random_state(state["random"])
