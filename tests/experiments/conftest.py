"""A preset that takes seconds, and its data, drawn once."""

from dataclasses import replace

import pytest

from ocrkit.experiments.datasets import DataSets, prepare
from ocrkit.experiments.presets import Preset, get_preset


@pytest.fixture(scope="session")
def tiny() -> Preset:
    """The smoke preset, made smaller still."""
    smoke = get_preset("smoke")
    recipe = replace(smoke.recipe, steps=4, batch_size=4, validate_every=2)
    return replace(
        smoke,
        image_width=32,
        width=0.05,
        train_images=40,
        test_images=4,
        valid_images=8,
        recipe=recipe,
    )


@pytest.fixture(scope="session")
def data(tiny, tmp_path_factory) -> DataSets:
    """The preset's sets, made by one process."""
    return prepare(tiny, tmp_path_factory.mktemp("data"), workers=1)
