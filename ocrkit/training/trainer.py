"""Training a reader: the loop's task is to say what stands in images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ocrkit.data.batches import Batches
from ocrkit.data.cache import Pixels, to_input
from ocrkit.metrics import score
from ocrkit.models.recognizer import Recognizer
from ocrkit.training.distributed import ALONE, World
from ocrkit.training.loop import Loop, Progress, TrainingResult
from ocrkit.training.losses import Converter, check_labels, training_loss, weight_of_part
from ocrkit.training.predict import read_all
from ocrkit.training.recipe import Recipe


@dataclass(frozen=True)
class ReadingTask:
    """Learn to say the texts of `batches`; validated on the images of `valid`, if there are any."""

    converter: Converter
    batches: Batches
    valid: Pixels | None
    world: World = ALONE
    auxiliary_steps: float = 0.0

    def loss(self, model: torch.nn.Module, step: int) -> torch.Tensor:
        """CTC's or attention's loss of this process's part of a batch."""
        batch = self.batches.part(step, self.world.rank, self.world.size)
        device = next(model.parameters()).device
        images = to_input(batch.pixels).to(device, non_blocking=True)
        weight = max(0.0, 1 - step / self.auxiliary_steps) if self.auxiliary_steps else 0.0
        part = 1.0
        if self.world.size > 1:
            part = weight_of_part(self.converter, batch.texts, self.batches.texts(step))
        return training_loss(model, self.converter, images, batch.texts, weight, part)

    def validate(self, model: torch.nn.Module) -> dict[str, float]:
        """Accuracy and CER (percent) and the loss on the validation images."""
        if self.valid is None:
            return {}
        readings = read_all(model, self.converter, self.valid.pixels, self.valid.texts)
        scores = score(readings.texts, self.valid.texts)
        return {
            "valid_accuracy": scores.accuracy,
            "valid_cer": scores.cer,
            "valid_loss": readings.loss,
        }


class Trainer(Loop):
    """A run of one reader; model, recipe, seed, world and options as for `Loop`.

    converter: turns texts into ids.
    sources: training sets; half of each batch from each of two.
    valid: images to follow the run by, or None.
    unfit_limit: largest share of labels that may not fit, 0 to 1. `unfit_share` is then what does
        not, and `unfit_said` the same as a sentence.
    Raises OcrkitError: too many labels do not fit, or a batch cannot be split as asked.
    """

    model: Recognizer

    def __init__(
        self,
        model: Recognizer,
        converter: Converter,
        sources: list[Pixels],
        valid: Pixels | None,
        recipe: Recipe,
        *,
        seed: int = 0,
        world: World = ALONE,
        unfit_limit: float = 0.01,
        **options: Any,
    ) -> None:
        texts = [text for source in sources for text in source.texts]
        self.unfit_share, self.unfit_said = check_labels(
            converter, texts, model.frames, unfit_limit
        )
        self.converter = converter
        self.batches = Batches(sources, recipe.batch_size, seed, world.size)
        auxiliary_steps = 0.0
        if recipe.auxiliary_ctc and model.add_auxiliary(recipe.auxiliary_frames):
            auxiliary_steps = recipe.auxiliary_ctc * recipe.steps
        task = ReadingTask(converter, self.batches, valid, world, auxiliary_steps)
        super().__init__(model, task, recipe, seed, world=world, **options)

    def run(self, watch: Callable[[Progress], None] = lambda progress: None) -> TrainingResult:
        """As `Loop.run`; the auxiliary head, which only training needs, is gone afterwards."""
        result = super().run(watch)
        self.model.auxiliary = None
        return result
