"""The three papers."""

import math

import numpy as np
import pytest

from ocrkit.errors import OcrkitError
from ocrkit.synth.backgrounds import gaussian_noise, quasi_crystal, white


def test_noise_is_normal_and_saturates_at_white():
    noise = gaussian_noise(np.random.default_rng(0), 300, 1000)
    assert noise.dtype == np.uint8
    assert np.median(noise) == 235
    below = noise[noise < 235]  # the upper half is cut at 255, the lower half is not
    assert math.sqrt(np.mean((below - 235.0) ** 2)) == pytest.approx(10, abs=0.4)
    expected = 0.5 * math.erfc((254.5 - 235) / (10 * math.sqrt(2)))
    assert np.mean(noise == 255) == pytest.approx(expected, abs=0.002)
    neighbours = np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.01


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (64, 7)])
def test_any_size_will_do(shape):
    rng = np.random.default_rng(0)
    for paper in (gaussian_noise(rng, *shape), white(*shape), quasi_crystal(rng, *shape)):
        assert paper.shape == shape
        assert paper.dtype == np.uint8
    assert white(*shape).min() == 255


def slow_quasi_crystal(n, f, phase, height, width):
    """The formula pixel by pixel, as it is written."""
    grey = np.empty((height, width), np.uint8)
    for row, x in enumerate(np.linspace(-2 * math.pi, 2 * math.pi, height)):
        for column, y in enumerate(np.linspace(-2 * math.pi, 2 * math.pi, width)):
            r, theta = math.hypot(x, y), math.atan2(y, x)
            z = sum(
                math.cos(f * r * math.sin(theta + 2 * math.pi * i / n) + phase) for i in range(n)
            )
            grey[row, column] = min(255, 255 - round(255 * z / n))
    return grey


@pytest.mark.parametrize(("n", "f"), [(10, 20.0), (13, 33.3), (20, 50.0)])
def test_quasi_crystal_equals_the_formula(n, f):
    height, width = 32, 90
    fast = quasi_crystal(np.random.default_rng(1), height, width, (n, n), (f, f))
    rng = np.random.default_rng(1)
    assert rng.integers(n, n + 1) == n
    assert rng.uniform(f, f) == f
    slow = slow_quasi_crystal(n, f, rng.uniform(0, 2 * math.pi), height, width)
    assert np.abs(fast.astype(int) - slow).max() <= 1  # the waves are rounded to 1/512
    assert np.mean(fast == slow) > 0.85
    assert np.mean(slow == 255) > 0.2  # the case covers both paper and pattern
    assert slow.min() < 150


def test_the_number_of_waves_and_their_frequency_are_uniform():
    class Recorder:
        def __init__(self):
            self.calls = []

        def integers(self, low, high):
            self.calls.append(("waves", low, high))
            return low

        def uniform(self, low, high):
            self.calls.append(("uniform", low, high))
            return low

    recorder = Recorder()
    quasi_crystal(recorder, 4, 4)
    assert recorder.calls == [
        ("waves", 10, 21),  # the upper end is open: 10..20
        ("uniform", 20.0, 50.0),
        ("uniform", 0, 2 * math.pi),
    ]


def test_noise_without_spread_is_plain_paper():
    rng = np.random.default_rng(0)
    assert set(gaussian_noise(rng, 4, 6, mean=235.0, sd=0.0).ravel()) == {235}
    with pytest.raises(OcrkitError, match="spread"):
        gaussian_noise(rng, 4, 6, sd=-1.0)


def test_noise_that_loses_its_fraction_is_half_a_grey_level_darker():
    shape = (300, 1000)
    rounded = gaussian_noise(np.random.default_rng(0), *shape).astype(float)
    truncated = gaussian_noise(np.random.default_rng(0), *shape, truncate=True).astype(float)
    # not where both are cut at 255
    inside = rounded < 250
    assert (rounded - truncated)[inside].mean() == pytest.approx(0.5, abs=0.01)
    assert set(
        gaussian_noise(np.random.default_rng(0), 4, 6, 235.7, 0.0, truncate=True).ravel()
    ) == {235}
