"""One visible training loop: batch, loss, backward, clip, step; validate; save."""

import csv
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from ocrkit.data.batches import Batches
from ocrkit.data.cache import Pixels, to_input
from ocrkit.errors import OcrkitError
from ocrkit.files import atomic_file
from ocrkit.metrics import score
from ocrkit.training.checkpoint import load_state, random_state, save_state, set_random_state
from ocrkit.training.losses import Converter, check_labels, training_loss
from ocrkit.training.precision import autocast, resolve_precision
from ocrkit.training.predict import read_all
from ocrkit.training.recipe import Recipe, make_optimizer, make_schedule


@dataclass(frozen=True)
class Progress:
    """What a watcher is told while a run goes on."""

    step: int
    steps: int
    loss: float
    seconds: float
    valid_accuracy: float | None = None


@dataclass
class TrainingResult:
    """A finished run: its history (one row a validation), and what it cost.

    Attributes:
        seconds: wall clock of the training steps and validations, over all its interruptions.
        cpu_seconds: processor time of the same; tells a busy machine from a slow model.
        unfit_share: share of the training labels that the model cannot say.
    """

    history: list[dict[str, float]]
    steps: int
    images: int
    seconds: float
    cpu_seconds: float
    precision: str
    unfit_share: float
    final_loss: float


@dataclass
class Trainer:
    """One run: a model, its images and a recipe.

    Args:
        model: a recogniser with `frames`; moved to `device`.
        converter: turns texts into ids.
        sources: training sets; half of each batch from each of two.
        valid: images to follow the run by, or None.
        recipe: optimiser, schedule, precision, steps.
        seed: what the order of the images depends on (the weights are the caller's).
        folder: where checkpoints and `history.csv` go; None keeps nothing.
        identity: what must be the same for a checkpoint to be gone on from.
        unfit_limit: largest share of labels that may not fit, 0 to 1.
        save_every: seconds between checkpoints.
    """

    model: torch.nn.Module
    converter: Converter
    sources: list[Pixels]
    valid: Pixels | None
    recipe: Recipe
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    folder: Path | None = None
    identity: dict[str, Any] = field(default_factory=dict)
    unfit_limit: float = 0.01
    save_every: float = 30.0

    def __post_init__(self) -> None:
        texts = [text for source in self.sources for text in source.texts]
        self.unfit_share, self.unfit_said = check_labels(
            self.converter, texts, self.model.frames, self.unfit_limit
        )
        self.precision = resolve_precision(self.recipe.precision, self.device)
        # Channels-last is the layout that the bf16 convolution kernels want.
        layout = torch.channels_last if self.precision == "bf16" else torch.contiguous_format
        self.model.to(self.device, memory_format=layout)
        self.batches = Batches(self.sources, self.recipe.batch_size, self.seed)
        self.optimizer = make_optimizer(self.recipe, self.model)
        self.schedule = make_schedule(self.recipe, self.optimizer)
        self.identity = {**self.identity, "recipe": asdict(self.recipe), "seed": self.seed}
        self.step, self.seconds, self.cpu_seconds, self.loss = 0, 0.0, 0.0, math.nan
        self.history: list[dict[str, float]] = []

    def run(self, watch: Callable[[Progress], None] = lambda progress: None) -> TrainingResult:
        """Train to the recipe's last step, from the last checkpoint in the folder if there is one.

        Raises:
            OcrkitError: the loss became NaN or infinite, or the checkpoint is of another run.
        """
        self._resume()
        clock, cpu = time.perf_counter(), time.process_time()
        base, cpu_base, saved = self.seconds, self.cpu_seconds, clock
        while self.step < self.recipe.steps:
            self._one_step()
            now = time.perf_counter()
            self.seconds = base + now - clock
            self.cpu_seconds = cpu_base + time.process_time() - cpu
            accuracy = None
            last = self.step == self.recipe.steps
            if self.valid is not None and (last or self.step % self.recipe.validate_every == 0):
                accuracy = self._validate()
            watch(Progress(self.step, self.recipe.steps, self.loss, self.seconds, accuracy))
            if self.folder and (last or now - saved > self.save_every):
                self._save()
                saved = now
        return TrainingResult(
            history=self.history,
            steps=self.step,
            images=self.step * self.recipe.batch_size,
            seconds=self.seconds,
            cpu_seconds=self.cpu_seconds,
            precision=self.precision,
            unfit_share=self.unfit_share,
            final_loss=self.loss,
        )

    def _one_step(self) -> None:
        self.model.train()
        batch = self.batches[self.step]
        images = to_input(batch.pixels).to(self.device, non_blocking=True)
        with autocast(self.precision, self.device):
            loss = training_loss(self.model, self.converter, images, batch.texts)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.grad_clip)
        self.optimizer.step()
        if self.schedule:
            self.schedule.step()
        self.step += 1
        # Reading the loss waits for a GPU; every tenth step is often enough to notice a NaN.
        if self.device.type == "cpu" or self.step % 10 == 0 or self.step == self.recipe.steps:
            self.loss = loss.item()
            if not math.isfinite(self.loss):
                raise OcrkitError(
                    f"the loss became {self.loss} at step {self.step}: lower the learning rate "
                    f"({self.recipe.learning_rate}) or use precision fp32"
                )

    def _validate(self) -> float:
        readings = read_all(self.model, self.converter, self.valid.pixels, self.valid.texts)
        scores = score(readings.texts, self.valid.texts)
        self.history.append(
            {
                "step": self.step,
                "images": self.step * self.recipe.batch_size,
                "seconds": round(self.seconds, 2),
                "train_loss": self.loss,
                "valid_accuracy": scores.accuracy,
                "valid_cer": scores.cer,
                "valid_loss": readings.loss,
            }
        )
        return scores.accuracy

    def _save(self) -> None:
        save_state(
            self.folder,
            {
                "identity": self.identity,
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict() if self.schedule else None,
                "step": self.step,
                "seconds": self.seconds,
                "cpu_seconds": self.cpu_seconds,
                "loss": self.loss,
                "history": self.history,
                "random": random_state(),
            },
        )
        if self.history:
            with (
                atomic_file(self.folder / "history.csv") as temporary,
                temporary.open("w", newline="", encoding="utf-8") as out,
            ):
                writer = csv.DictWriter(out, self.history[0])
                writer.writeheader()
                writer.writerows(self.history)

    def _resume(self) -> None:
        state = load_state(self.folder) if self.folder else None
        if state is None:
            return
        if state["identity"] != self.identity:
            different = [k for k in self.identity if state["identity"].get(k) != self.identity[k]]
            raise OcrkitError(
                f"the checkpoint in {self.folder} is of another run (other "
                f"{', '.join(different)}): delete the folder, or choose another"
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule:
            self.schedule.load_state_dict(state["schedule"])
        self.step, self.loss, self.history = state["step"], state["loss"], state["history"]
        self.seconds, self.cpu_seconds = state["seconds"], state["cpu_seconds"]
        set_random_state(state["random"])
