"""TextSpotter: read a grid laid into each found box, attention taught by the characters' places.

He, Tian, Huang, Shen, Qiao and Sun, "An End-to-End TextSpotter with Explicit Alignment and
Attention" (CVPR 2018).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ocrkit.labels import AttentionLabels
from ocrkit.models.prediction import Attention, AttentionOutput
from ocrkit.papers.shared.sampling import cell_centres, sample
from ocrkit.papers.shared.scene_sets import vocabulary
from ocrkit.papers.spotting.spotter import FEATURE_STRIDE, Spotter, spotter_study
from ocrkit.synth.scenes import SceneWord
from ocrkit.training.losses import attention_loss

GRID = (16, 64)  # rows and columns laid into each quadrilateral
FRAMES = GRID[1] // 2
MAX_LENGTH = 4  # syllables


def align_text(
    features: Tensor, quads: Sequence[Tensor], stride: int, height: int, width: int
) -> Tensor:
    """Each quadrilateral's inside on a grid of `height` x `width` points, (N, C, height, width).

    features: (B, C, H, W), a cell every `stride` pixels.
    quads: for each of the B images (n, 4, 2), in pixels of the image, clockwise from the
        text's top left. Short words are drawn out, long ones pressed together. Differentiable.
    """
    return sample(features, [grid_points(quad, height, width) for quad in quads], stride)


def grid_points(quads: Tensor, height: int, width: int) -> Tensor:
    """Points at equal steps between opposite sides of quads (n, 4, 2), (n, height, width, 2)."""
    x, y = cell_centres(height, width, quads)
    u, v = (x / width)[..., None], (y / height)[..., None]
    a, b, c, d = quads[:, :, None, None].unbind(1)
    # p(u, v) = (1 - v) [(1 - u) a + u b] + v [(1 - u) d + u c], u and v from 0 to 1
    return (1 - v) * torch.lerp(a, b, u) + v * torch.lerp(d, c, u)


def columns_of(characters: Tensor, quad: Tensor, width: int) -> Tensor:
    """Where along the grid characters lie: first and last column, (k, 2), 0 to `width`.

    characters: quads (k, 4, 2) of one word, projected on the middle line of its quad (4, 2).
    """
    start, stop = (quad[0] + quad[3]) / 2, (quad[1] + quad[2]) / 2
    along = (stop - start) / (stop - start).square().sum()
    u = ((characters - start) @ along).clamp(0, 1) * width
    return torch.stack([u.amin(-1), u.amax(-1)], dim=-1)


class TextSpotter(Spotter):
    """A spotter that reads with attention what `align_text` lays out.

    charset: what may be read.
    alignment: weight of `alignment_loss`; 0 is plain attention.
    """

    def __init__(self, charset: str, alignment: float = 1.0) -> None:
        super().__init__(AttentionLabels(charset, MAX_LENGTH))
        self.alignment = alignment
        self.decoder = Attention(64, 96, self.labels.classes, output_context=True)

    def attend(
        self, features: Tensor, quads: Sequence[Tensor], text: Tensor | None = None
    ) -> AttentionOutput:
        """Steps of the decoder for the words in quads (n, 4, 2) of each image; T is `FRAMES`.

        text: (N, >= steps) from [GO] on; None: greedy.
        """
        crops = align_text(features, quads, FEATURE_STRIDE, *GRID)
        return self.decoder.decode(self.encoder(crops), text, MAX_LENGTH + 1, stop=False)

    def reading_loss(
        self, features: Tensor, words: Sequence[Sequence[SceneWord]], quads: Sequence[Tensor]
    ) -> Tensor:
        """L_word + lambda L_align."""
        ids, _ = self.labels.encode([word.text for some in words for word in some])
        output = self.attend(features, quads, ids[:, :-1])
        loss = attention_loss(output.logits, ids)
        if not self.alignment:
            return loss
        return loss + self.alignment * alignment_loss(output.alpha, columns(words, quads))

    def logits(self, features: Tensor, quads: Sequence[Tensor]) -> Tensor:
        """What is written greedily in the quads of all images, (N, steps, classes)."""
        return self.attend(features, quads).logits


def columns(words: Sequence[Sequence[SceneWord]], quads: Sequence[Tensor]) -> list[Tensor]:
    """For each word the first and last frame of each of its characters, (k, 2)."""
    return [
        columns_of(torch.from_numpy(word.character_quads), quad, FRAMES)
        for some, those in zip(words, quads, strict=True)
        for word, quad in zip(some, those, strict=True)
    ]


def alignment_loss(alpha: Tensor, spans: Sequence[Tensor]) -> Tensor:
    """How little of the attention falls on the character that is being read, mean over characters.

    alpha: (N, steps, T), each row sums to 1.
    spans: for each word its characters' first and last frame (k, 2), k at most steps.

    A form of our own: how the paper itself writes its character alignment could not be verified.
    """
    rows = torch.cat([a[: len(span)] for a, span in zip(alpha.float(), spans, strict=True)])
    first, last = torch.cat(list(spans)).to(rows).unbind(1)
    # L_align = -ln(sum over j of alpha_tj m_tj), m_tj = how much of frame j the character covers
    return -torch.log((rows * cover(first, last, rows.shape[1])).sum(1) + 1e-6).mean()


def cover(first: Tensor, last: Tensor, frames: int) -> Tensor:
    """How much of each frame lies between `first` and `last` (n,), (n, frames), 0 to 1."""
    j = torch.arange(frames, dtype=first.dtype, device=first.device)
    return (torch.minimum(last[:, None], j + 1) - torch.maximum(first[:, None], j)).clamp(0, 1)


STUDIES = {
    name: spotter_study(name, lambda by=alignment: TextSpotter(vocabulary().charset, alignment=by))
    for name, alignment in (("textspotter", 1.0), ("textspotter-plain", 0.0))
}
