"""Papers to write on: Gaussian noise, plain white, quasi-crystal."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ocrkit.errors import OcrkitError

_GRID = 512  # waves are rounded to multiples of 1/512, see quasi_crystal


def white(height: int, width: int) -> np.ndarray:
    """A white page, uint8 (height, width)."""
    return np.full((height, width), 255, np.uint8)


def gaussian_noise(
    rng: np.random.Generator,
    height: int,
    width: int,
    mean: float = 235.0,
    sd: float = 10.0,
    truncate: bool = False,
) -> np.ndarray:
    """Grey noise N(mean, sd), rounded and held to 0..255, uint8 (height, width).

    truncate: drop the fraction instead of rounding it, as the paper's generator does; the mean is
    then half a grey level lower.
    Raises OcrkitError for a negative spread.

    Four pixels come from each 64-bit draw, through a table of the normal quantiles in 1/65536.
    """
    if sd < 0:
        raise OcrkitError(f"the noise's spread must be 0 or more, got {sd}")
    if sd == 0:
        grey = int(mean) if truncate else round(mean)
        return np.full((height, width), min(max(grey, 0), 255), np.uint8)
    pixels = height * width
    draws = rng.bit_generator.random_raw(-(-pixels // 4)).view(np.uint16)
    return _normal_table(mean, sd, truncate).take(draws[:pixels]).reshape(height, width)


@lru_cache(maxsize=8)
def _normal_table(mean: float, sd: float, truncate: bool) -> np.ndarray:
    """Grey value at each of 65536 equally likely quantiles."""
    above = 1.0 if truncate else 0.5  # grey v stands for values below v + above
    below = [0.5 * (1 + math.erf((v + above - mean) / (sd * math.sqrt(2)))) for v in range(255)]
    ends = np.rint(65536 * np.array([0.0, *below, 1.0])).astype(np.int64)
    return np.repeat(np.arange(256, dtype=np.uint8), np.diff(ends))


def quasi_crystal(
    rng: np.random.Generator,
    height: int,
    width: int,
    waves: tuple[int, int] = (10, 20),
    frequency: tuple[float, float] = (20.0, 50.0),
) -> np.ndarray:
    """A quasi-crystal, uint8 (height, width): n plane waves in n directions, added up.

    Rows span x and columns y in [-2π, 2π]; z = Σ cos(f·r·sin(atan2(y, x) + 2πi/n) + phase) over
    i < n, r = hypot(x, y); grey = 255 - round(255·z/n), held to white where z is negative.
    n is uniform in `waves` (whole, both ends), f in `frequency`, the phase in [0, 2π].
    """
    n = int(rng.integers(waves[0], waves[1] + 1))
    f = rng.uniform(*frequency)
    phase = rng.uniform(0, 2 * math.pi)
    angles = 2 * math.pi * np.arange(n) / n
    # r·sin(atan2(y, x) + φ) = y·cosφ + x·sinφ: each wave is cos(a(row) + b(column)), that is
    # cos a·cos b - sin a·sin b, so the whole sum is one product of (h, 2n) with (2n, w).
    a = _unit_circle(f * np.sin(angles), phase, height)
    b = _unit_circle(f * np.cos(angles), 0.0, width)
    # With factors in 1/512 every partial sum is a multiple of 2^-18 below 2^5 and so exact in
    # float32: the picture cannot depend on the order in which a CPU adds.
    rows = np.rint(np.concatenate([a.real, -a.imag]) * _GRID).T.astype(np.float32)
    columns = np.rint(np.concatenate([b.real, b.imag]) * _GRID).astype(np.float32)
    z = np.maximum(rows @ columns, 0)
    z *= 255 / (n * _GRID**2)
    return ~np.rint(z, out=z).astype(np.uint8)


def _unit_circle(rate: np.ndarray, start: float, length: int) -> NDArray[np.complex128]:
    """exp(i·(rate·t + start)) at `length` points t from -2π to 2π, complex (len(rate), length).

    t = coarse + fine, so the exponential is the product of two short tables.
    """
    step = 4 * math.pi / max(length - 1, 1)
    block = math.isqrt(length) + 1
    rate = rate[:, None]
    coarse = np.exp(1j * (rate * (np.arange(block) * block * step - 2 * math.pi) + start))
    fine = np.exp(1j * rate * (np.arange(block) * step))
    return (coarse[:, :, None] * fine[:, None, :]).reshape(len(rate), -1)[:, :length]
