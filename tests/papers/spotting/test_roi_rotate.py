"""RoIRotate against a pixel-by-pixel version, OpenCV, and its own gradients."""

import math

import cv2
import numpy as np
import pytest
import torch

from ocrkit.papers.shared.quads import crop, from_boxes
from ocrkit.papers.spotting.fots import roi_rotate

BOXES = [
    (30.0, 20.0, 30.0, 10.0, 0.0),
    (31.3, 24.1, 33.0, 11.0, math.radians(35)),
    (40.2, 30.0, 21.0, 14.0, math.radians(-44)),
]
SIZE = (48, 64)


@pytest.fixture
def picture() -> np.ndarray:
    """Noise as smooth as OpenCV's 32 steps between two pixels need."""
    noise = np.random.default_rng(1).uniform(0, 1, SIZE).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 2) * 4


def as_map(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture)[None, None]


@pytest.mark.parametrize("box", BOXES)
def test_equals_a_walk_along_and_across_the_text(picture, box):
    cx, cy, w, h, angle = box
    height, width = 8, 32
    got = roi_rotate(as_map(picture), [torch.tensor([box])], 1, height, width)[0, 0]
    step = h / height
    for i in range(height):
        for j in range(width):
            along, across = (j + 0.5) * step - w / 2, (i + 0.5) * step - h / 2
            x = cx + along * math.cos(angle) + across * math.sin(angle)
            y = cy - along * math.sin(angle) + across * math.cos(angle)
            value = 0.0
            if (j + 0.5) * step < w:
                left, top = math.floor(x - 0.5), math.floor(y - 0.5)
                for row in (top, top + 1):
                    for column in (left, left + 1):
                        share = (1 - abs(x - 0.5 - column)) * (1 - abs(y - 0.5 - row))
                        value += share * float(picture[row, column])
            assert got[i, j].item() == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("box", BOXES)
def test_equals_opencv(picture, box):
    height = 9
    width = math.floor(height * box[2] / box[3])
    got = roi_rotate(as_map(picture), [torch.tensor([box])], 1, height, width)[0, 0]
    length = height * box[2] / box[3]
    corners = np.array([[0, 0], [length, 0], [length, height]], np.float32)
    matrix = cv2.getAffineTransform(from_boxes(np.array(box))[:3].astype(np.float32), corners)
    # OpenCV counts from the centre of the first pixel, not from its corner.
    matrix[:, 2] += matrix[:, :2].sum(1) / 2 - 0.5
    wanted = cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR)
    assert np.abs(got.numpy() - wanted).max() < 0.02
    straight = crop(picture, from_boxes(np.array(box)), height, width)
    assert np.abs(got.numpy() - straight).mean() < 0.05  # stretched by less than a pixel


def test_letters_keep_their_shape_and_what_is_left_is_empty():
    features = torch.ones(2, 3, 32, 32)
    boxes = torch.tensor([[32.0, 32.0, 20.0, 10.0, 0.3], [32.0, 32.0, 60.0, 10.0, 0.0]])
    crops = roi_rotate(features, [boxes[:0], boxes], 2, 8, 24)
    assert crops.shape == (2, 3, 8, 24)
    short, long = crops[:, 0, 4] > 0.5
    assert short.tolist() == [True] * 16 + [False] * 8
    assert long.all()


def test_a_coarser_map_gives_the_same_crop(picture):
    smooth = cv2.GaussianBlur(picture, (0, 0), 4)
    coarse = cv2.resize(smooth, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    boxes = [torch.tensor(BOXES)]
    fine = roi_rotate(as_map(smooth), boxes, 1, 6, 12)
    assert torch.allclose(roi_rotate(as_map(coarse), boxes, 2, 6, 12), fine, atol=0.05)


def test_gradients():
    random = torch.Generator().manual_seed(4)
    features = torch.rand(2, 1, 6, 7, generator=random).double().requires_grad_()
    first = torch.tensor([[6.1, 5.2, 7.3, 3.1, 0.4]], dtype=torch.float64, requires_grad=True)
    second = torch.tensor([[7.3, 6.4, 5.2, 4.3, -0.3]], dtype=torch.float64, requires_grad=True)

    def cut(features, *boxes):
        return roi_rotate(features, boxes, 2, 3, 4)

    assert torch.autograd.gradcheck(cut, (features, first, second))
