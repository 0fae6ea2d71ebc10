"""The text-alignment grid against a slow version, OpenCV, RoIRotate, and its own gradients."""

import cv2
import numpy as np
import pytest
import torch

from ocrkit.papers.shared.quads import crop, from_boxes
from ocrkit.papers.spotting.fots import roi_rotate
from ocrkit.papers.spotting.textspotter import align_text, columns_of, grid_points

TURNED = from_boxes(np.array([31.3, 24.1, 32.0, 12.0, 0.6]))
SKEWED = np.array([[10.0, 12.0], [50.0, 6.0], [54.0, 20.0], [14.0, 26.0]])
TRAPEZOID = np.array([[10.0, 12.0], [50.0, 6.0], [54.0, 40.0], [8.0, 26.0]])


@pytest.fixture
def picture() -> np.ndarray:
    noise = np.random.default_rng(1).uniform(0, 1, (48, 64)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 2) * 4


@pytest.mark.parametrize("quad", [TURNED, SKEWED, TRAPEZOID])
def test_points_walk_down_the_sides_and_across_between_them(quad):
    height, width = 3, 5
    got = grid_points(torch.from_numpy(quad)[None], height, width)[0]
    for i in range(height):
        down = (i + 0.5) / height
        left = quad[0] + down * (quad[3] - quad[0])
        right = quad[1] + down * (quad[2] - quad[1])
        for j in range(width):
            wanted = left + (j + 0.5) / width * (right - left)
            assert got[i, j].numpy() == pytest.approx(wanted)


@pytest.mark.parametrize("quad", [TURNED, SKEWED])
def test_equals_opencv_on_parallelograms(picture, quad):
    got = align_text(
        torch.from_numpy(picture)[None, None], [torch.from_numpy(quad)[None]], 1, 8, 20
    )
    assert np.abs(got[0, 0].numpy() - crop(picture, quad, 8, 20)).max() < 0.03


def test_equals_roi_rotate_where_the_proportions_are_the_same(picture):
    features = torch.from_numpy(picture)[None, None]
    box = torch.tensor([[31.3, 24.1, 32.0, 12.0, 0.6]])
    quads = [torch.from_numpy(TURNED).float()[None]]
    turned = roi_rotate(features, [box], 1, 6, 16)
    assert torch.allclose(align_text(features, quads, 1, 6, 16), turned, atol=1e-5)


def test_columns_of_characters():
    quad = torch.from_numpy(from_boxes(np.array([30.0, 20.0, 40.0, 10.0, 0.5]))).float()
    # Two characters side by side, lower than the word; one that sticks out at the end.
    along = (quad[1] - quad[0]) / 40
    down = (quad[3] - quad[0]) / 10

    def part(first: float, last: float) -> torch.Tensor:
        return torch.stack(
            [
                quad[0] + a * along + d * down
                for a, d in [(first, 1), (last, 1), (last, 9), (first, 9)]
            ]
        )

    characters = torch.stack([part(0, 10), part(12, 20), part(30, 44)])
    got = columns_of(characters, quad, 16)
    assert got.numpy() == pytest.approx(np.array([[0, 4], [4.8, 8], [12, 16]]), abs=1e-4)


def test_gradients():
    random = torch.Generator().manual_seed(5)
    features = torch.rand(2, 1, 6, 7, generator=random).double().requires_grad_()
    quads = [
        torch.tensor([[[2.1, 2.3], [9.2, 3.1], [9.7, 8.3], [2.6, 7.1]]]).double().requires_grad_(),
        torch.tensor([[[3.1, 2.3], [8.2, 2.1], [8.7, 6.3], [3.6, 7.6]]]).double().requires_grad_(),
    ]

    def cut(features, *quads):
        return align_text(features, quads, 2, 2, 4)

    assert torch.autograd.gradcheck(cut, (features, *quads))
