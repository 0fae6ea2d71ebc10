"""Drawing training lines: print, screens and scans, as a page's cutter would hand them over."""

import random
from dataclasses import dataclass

import cv2
import numpy as np

from ocrkit.reader.faces import Face, Faces, drawable
from ocrkit.reader.text import Texts


@dataclass(frozen=True)
class Line:
    """A line, drawn or cut from a page: grey uint8 (H, W), and what stands in it."""

    image: np.ndarray
    text: str


class Artist:
    """An endless source of drawn lines; the same seed draws the same lines on one machine."""

    def __init__(self, seed: int, faces: Faces, texts: Texts | None = None) -> None:
        self.rng = random.Random(seed)
        self.noise = np.random.default_rng(seed)
        self.faces, self.texts = faces, texts or Texts(seed)
        self._neighbour: np.ndarray | None = None

    def line(self, longest: int = 40) -> Line:
        """A line of at most about `longest` characters, never empty."""
        while True:
            text = self.texts.line(self.rng.randint(1, longest))
            face, latin = self.faces.choose(self.rng)
            em = round(min(10 * 4.5 ** self.rng.betavariate(1.3, 1.6), 48))
            placed = drawable(text, face, latin, em)
            if placed:
                break
        ink, base = self._set(placed, em)
        ink = self._crop(ink, base, em)
        ink = self._marks(ink, em)
        if self.rng.random() < 0.3:
            ink = self._warp(ink)
        return Line(self._degrade(self._print(ink, em), em), "".join(ch for ch, _ in placed))

    def _set(self, placed: list[tuple[str, Face]], em: int) -> tuple[np.ndarray, int]:
        """Coverage of the characters side by side on a tall canvas, and the row of the baseline."""
        rng = self.rng
        tracking = em * (rng.gauss(0, 0.04) if rng.random() < 0.7 else rng.uniform(-0.1, 0.25))
        space = rng.uniform(0.8, 1.4) if rng.random() < 0.7 else rng.uniform(0.6, 3)
        base, pen = 2 * em, float(em)
        glyphs = []
        for ch, face in placed:
            pixels, left, top, advance = face.glyph(ch, em)
            glyphs.append((pixels, round(pen) + left, base + top))
            # A space must stay wider than what stands between letters.
            gap = max(advance * space, em * 0.22 + max(tracking, 0)) if ch == " " else advance
            pen += max(gap + tracking, 1)
        canvas = np.zeros((3 * em, round(pen) + em), np.uint8)
        for pixels, x, y in glyphs:
            height, width = pixels.shape
            area = canvas[max(y, 0) : y + height, max(x, 0) : x + width]
            np.maximum(area, pixels[: area.shape[0], : area.shape[1]], out=area)
        return canvas, base

    def _crop(self, canvas: np.ndarray, base: int, em: int) -> np.ndarray:
        """Cut as cutters do: tight around the ink, or at the height of a line, never exactly."""
        rng = self.rng
        rows = np.flatnonzero(canvas.any(axis=1))
        columns = np.flatnonzero(canvas.any(axis=0))
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        if rng.random() < 0.6 or bottom - top < 0.6 * em:
            top, bottom = min(top, base - round(0.82 * em)), max(bottom, base + round(0.12 * em))
        above, below = (round(em * rng.choice([0, 0.05, 0.12, 0.25]) * rng.random()) for _ in "ab")
        left, right = (round(em * rng.choice([0.05, 0.2, 0.8]) * rng.random()) for _ in "lr")
        top, bottom = max(top - above, 0), min(bottom + below, len(canvas))
        start, end = max(int(columns[0]) - left, 0), int(columns[-1]) + 1 + right
        return canvas[top:bottom, start:end].copy()

    def _marks(self, ink: np.ndarray, em: int) -> np.ndarray:
        """Ink that is no text: rules, boxes, and what reaches in from the lines beside."""
        rng, width = self.rng, ink.shape[1]
        thick = max(1, round(em / 24 * rng.uniform(0.5, 2)))
        if rng.random() < 0.08:  # underlined words, or a box's lower side
            start, end = (
                sorted(rng.choices(range(width), k=2)) if rng.random() < 0.7 else (0, width)
            )
            ink = np.pad(ink, ((0, rng.randint(0, thick + 1)), (0, 0)))
            ink[-thick:, start:end] = 255
        if rng.random() < 0.03:
            ink[:thick] = 255
        if rng.random() < 0.05:  # a rule between columns
            space = np.zeros((len(ink), round(em * rng.uniform(0.2, 0.8))), np.uint8)
            space[:, :thick] = 255
            ink = np.hstack([ink, space[:, ::-1]] if rng.random() < 0.5 else [space, ink])
        other, self._neighbour = self._neighbour, ink
        if other is not None and other.shape[1] > 8 and rng.random() < 0.15:
            rows = min(rng.randint(1, max(1, em // 5)), len(other), len(ink))
            reach = min(other.shape[1], ink.shape[1])
            if rng.random() < 0.5:
                ink = np.pad(ink, ((rows, 0), (0, 0)))
                ink[:rows, :reach] = other[-rows:, :reach]
            else:
                ink = np.pad(ink, ((0, rows), (0, 0)))
                ink[-rows:, :reach] = other[:rows, :reach]
        return ink

    def _warp(self, ink: np.ndarray) -> np.ndarray:
        """Slightly turned (at most a quarter of the height over the line), slanted, stretched."""
        height, width = ink.shape
        slope = np.clip(self.rng.gauss(0, 0.008), -0.25 * height / width, 0.25 * height / width)
        slant = self.rng.gauss(0, 0.06)
        stretch = self.rng.uniform(0.82, 1.18)
        reach, rise = round(abs(slant) * height), round(abs(slope) * width)
        shift_x = reach if slant < 0 else 0
        shift_y = rise if slope < 0 else 0
        matrix = np.array([[stretch, slant, shift_x], [slope, 1, shift_y]], np.float32)
        size = round(width * stretch) + reach, height + rise
        return cv2.warpAffine(ink, matrix, size, flags=cv2.INTER_LINEAR)

    def _print(self, ink: np.ndarray, em: int) -> np.ndarray:
        """Coverage as the press leaves it: bled, thinned, or copied in pure black and white."""
        rng = self.rng
        kind = rng.random()
        if kind < 0.3 and em >= 14:  # binarised: ragged edges, closed or broken strokes
            blurred = cv2.GaussianBlur(ink, (0, 0), em / 40 * rng.uniform(0.6, 1.6)).astype(
                np.float32
            )
            grain = self.noise.standard_normal(ink.shape, np.float32) * rng.uniform(0, 45)
            ink = np.where(blurred + grain > rng.uniform(65, 165), 255, 0).astype(np.uint8)
        elif kind < 0.42 and em >= 16:
            size = 2 if em < 34 else 3
            how = cv2.dilate if rng.random() < 0.7 else cv2.erode
            changed = how(ink, np.ones((size, rng.randint(1, size)), np.uint8))
            ink = cv2.addWeighted(ink, 0.4, changed, 0.6, 0)
        elif kind < 0.55:  # a gamma: heavier or lighter anti-aliasing
            curve = (np.arange(256) / 255) ** rng.uniform(0.5, 1.7) * 255
            ink = cv2.LUT(ink, curve.astype(np.uint8))
        return ink

    def _degrade(self, ink: np.ndarray, em: int) -> np.ndarray:
        """Coverage to grey pixels, and what cameras, scanners and screens do to them."""
        rng = self.rng
        dark, paper = (
            (0, 255) if rng.random() < 0.4 else (rng.randint(0, 110), rng.randint(170, 255))
        )
        grey = paper - ink.astype(np.float32) * ((paper - dark) / 255)
        if rng.random() < 0.1:  # light falls off to one side
            grey += np.linspace(-1, 1, ink.shape[1], dtype=np.float32) * rng.uniform(-30, 30)
        if rng.random() < 0.25:
            grey = cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.3, 0.9) * max(em, 16) / 22)
        if em >= 20 and rng.random() < 0.25:  # scanned or shown small
            scale = rng.uniform(11, 20) / em
            grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if rng.random() < 0.35:
            grey += self.noise.standard_normal(grey.shape, np.float32) * rng.uniform(2, 18)
        if rng.random() < 0.08:  # specks
            specks = self.noise.random(grey.shape, np.float32)
            grey[specks < 0.004] = dark
            grey[specks > 0.996] = paper
        pixels = np.clip(grey, 0, 255).astype(np.uint8)
        if rng.random() < 0.12:
            pixels = 255 - pixels
        if rng.random() < 0.35:
            quality = [cv2.IMWRITE_JPEG_QUALITY, rng.randint(25, 92)]
            jpeg = cv2.imencode(".jpg", pixels, quality)[1]
            pixels = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE))
        return pixels
