"""Training: None-VGG-None-CTC at the paper's full size, beside the plain way to train it."""

from dataclasses import replace

import torch
from torch import nn

from ocrkit.bench.rates import Row, in_turns, timed, torch_threads
from ocrkit.data.cache import Pixels, draw_pixels
from ocrkit.hangul import charset
from ocrkit.labels import CTCLabels
from ocrkit.models import Recognizer
from ocrkit.synth import Generation, find_fonts, read_words, samples
from ocrkit.training import RECIPES, Trainer
from ocrkit.training.precision import cpu_features

REACH = 3.0
MODEL = "None-VGG-None-CTC"


def measure(
    rounds: int = 5,
    steps: int = 1,
    batch_size: int = 64,
    threads: int = 2,
    image_width: int = 400,
    width: float = 1.0,
    words_per_label: int = 10,
) -> Row:
    """Trainer's own way beside fp32, NCHW and ReLU before max-pool, as the reference runs it.

    Both sides: the same start weights, images, loss and loop, and the optimiser of the 2019 recipe.

    Args:
        steps: optimiser steps a round.
        width: multiplies the channels; 1 is the paper's.
    """
    words, fonts = tuple(read_words()), tuple(find_fonts())
    drawn = Generation("basic", batch_size, 1, words, fonts, words_per_label=words_per_label)
    images = draw_pixels(samples(drawn), image_width)
    with torch_threads(threads):
        ours, theirs = (
            _trainer(images, batch_size, width, precision) for precision in ("auto", "fp32")
        )
        plain_order(theirs.model.features)
        rates = in_turns(
            lambda: timed(lambda: train(ours, steps)),
            lambda: timed(lambda: train(theirs, steps)),
            rounds,
        )
    units = [name for name, there in cpu_features().items() if there] or ["no bf16 units"]
    note = (
        f"{MODEL}, batch {batch_size}, {ours.converter.classes} classes, {threads} threads, "
        f"{ours.recipe.optimizer}; ours in {ours.precision} ({', '.join(units)})"
    )
    against = "fp32, NCHW, ReLU before pool"
    return Row(f"train: 32x{image_width} images", against, REACH, "wall", *rates, note)


def _trainer(images: Pixels, batch_size: int, width: float, precision: str) -> Trainer:
    converter = CTCLabels(charset("972"))
    torch.manual_seed(1)
    height, image_width = images.pixels.shape[1:]
    model = Recognizer(
        MODEL,
        classes=converter.classes,
        image_height=height,
        image_width=image_width,
        width=width,
    )
    recipe = replace(RECIPES["2019"], batch_size=batch_size, precision=precision)
    return Trainer(model, converter, [images], None, recipe)


def train(trainer: Trainer, steps: int) -> int:
    """Take so many steps more; the number of images."""
    trainer.recipe = replace(trainer.recipe, steps=trainer.step + steps)
    trainer.run()
    return steps * trainer.recipe.batch_size


def plain_order(layers: nn.Sequential) -> None:
    """Put each ReLU before its max-pool, as papers write them: the same numbers, more work."""
    for i in range(len(layers) - 1):
        if isinstance(layers[i], nn.MaxPool2d) and isinstance(layers[i + 1], nn.ReLU):
            layers[i], layers[i + 1] = layers[i + 1], layers[i]
