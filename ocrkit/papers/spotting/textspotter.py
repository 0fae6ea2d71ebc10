"""TextSpotter: read a grid laid into each found box, and be shown where to look.

He, Tian, Huang, Shen, Qiao and Sun, "An End-to-End TextSpotter with Explicit Alignment and
Attention" (CVPR 2018). Attention must find out by itself which part of a word it is to read; the
paper tells it, for it knows where every character of its drawn training words stands.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from ocrkit.data.cache import to_input
from ocrkit.labels import AttentionLabels
from ocrkit.papers.detection.east import EastHead, EastMaps
from ocrkit.papers.recognition.attention import Decoder, Looks
from ocrkit.papers.shared.scene_sets import SceneSet, vocabulary
from ocrkit.papers.shared.study import Study
from ocrkit.papers.spotting.spotter import (
    FEATURE_STRIDE,
    RECIPE,
    CropEncoder,
    SpottingTask,
    shared_map,
    spot_one,
    test_scores,
)
from ocrkit.papers.spotting.text_alignment import align_text, columns_of
from ocrkit.synth.scenes import SceneWord
from ocrkit.training.losses import attention_loss

GRID = (16, 64)  # rows and columns laid into each quadrilateral
FRAMES = GRID[1] // 2
LONGEST = 4  # syllables


class TextSpotter(nn.Module):
    """Images (B, 1, H, W) to the shared map (B, shared, H/2, W/2) and the detector's answers.

    Args:
        charset: what may be read.
        channels: of the shared map's stages.
        shared: channels of the shared map.
        alignment: weight of `alignment_loss`; 0 is plain attention.
    """

    def __init__(
        self,
        charset: str,
        channels: Sequence[int] = (8, 24, 48, 64, 96),
        shared: int = 32,
        alignment: float = 1.0,
    ) -> None:
        super().__init__()
        self.labels = AttentionLabels(charset, LONGEST)
        self.alignment = alignment
        self.shared = shared_map(channels, shared)
        self.detector = EastHead(shared, 48)
        self.encoder = CropEncoder(shared, 64)
        self.decoder = Decoder(64, 96, self.labels.classes, glance=True)

    def forward(self, images: Tensor) -> tuple[Tensor, EastMaps]:
        features = self.shared(images)
        return features, self.detector(features)

    def look(self, features: Tensor, quads: Sequence[Tensor], text: Tensor | None = None) -> Looks:
        """Logits (N, steps, classes), and attention (N, steps, FRAMES), of the words in quads."""
        crops = align_text(features, quads, FEATURE_STRIDE, *GRID)
        return self.decoder.look(self.encoder(crops), text, LONGEST + 1)

    def reading_loss(
        self, features: Tensor, words: Sequence[Sequence[SceneWord]], quads: Sequence[Tensor]
    ) -> Tensor:
        """L_word + lambda L_align."""
        ids, _ = self.labels.encode([word.text for some in words for word in some])
        looks = self.look(features, quads, ids[:, :-1])
        loss = attention_loss(looks.logits, ids)
        if not self.alignment:
            return loss
        return loss + self.alignment * alignment_loss(looks.alpha, columns(words, quads))

    def read(self, features: Tensor, quads: Sequence[Tensor]) -> list[str]:
        """What stands in the quads of all images, one after the other."""
        return self.labels.decode(self.look(features, quads).logits.argmax(2))


def columns(words: Sequence[Sequence[SceneWord]], quads: Sequence[Tensor]) -> list[Tensor]:
    """For each word the first and last frame of each of its characters, (k, 2)."""
    return [
        columns_of(torch.from_numpy(word.character_quads), quad, FRAMES)
        for some, those in zip(words, quads, strict=True)
        for word, quad in zip(some, those, strict=True)
    ]


def alignment_loss(alpha: Tensor, spans: Sequence[Tensor]) -> Tensor:
    """How little of the attention falls on the character that is being read, mean over characters.

    Args:
        alpha: (N, steps, T), each row sums to 1.
        spans: for each word its characters' first and last frame (k, 2), k at most steps.

    The paper's character alignment, in a form of our own: the attention's mass on the character
    must be 1. How the paper itself writes it could not be verified.
    """
    rows = torch.cat([a[: len(span)] for a, span in zip(alpha.float(), spans, strict=True)])
    first, last = torch.cat(list(spans)).to(rows).unbind(1)
    # L_align = -ln(sum over j of alpha_tj m_tj), m_tj = how much of frame j the character covers
    return -torch.log((rows * cover(first, last, rows.shape[1])).sum(1) + 1e-6).mean()


def cover(first: Tensor, last: Tensor, frames: int) -> Tensor:
    """How much of each frame lies between `first` and `last` (n,), (n, frames), 0 to 1."""
    j = torch.arange(frames, dtype=first.dtype, device=first.device)
    return (torch.minimum(last[:, None], j + 1) - torch.maximum(first[:, None], j)).clamp(0, 1)


@torch.inference_mode()
def looks_at(
    model: TextSpotter, scenes: SceneSet, number: int
) -> tuple[Tensor, list[str], list[Tensor]]:
    """What the model sees and says in the true quads of one scene, and where it should look.

    Returns:
        alpha (n, steps, FRAMES), the texts read, and each word's `columns`.
    """
    quads = [torch.from_numpy(scenes.quads[number])]
    features, _ = model(to_input(scenes.images[number : number + 1]))
    looks = model.look(features, quads)
    texts = model.labels.decode(looks.logits.argmax(2))
    return looks.alpha, texts, columns(scenes.words[number : number + 1], quads)


def aim(model: TextSpotter, scenes: SceneSet) -> tuple[float, float]:
    """How well the attention hits, mean over the characters of some scenes.

    Returns:
        the percentage of the attention that falls on the right character, and how far its centre
        lies from the character's, in widths of the character.
    """
    rows, spans = [], []
    for number in range(len(scenes)):
        alpha, _, true = looks_at(model, scenes, number)
        rows += [a[: len(span)] for a, span in zip(alpha, true, strict=True)]
        spans += true
    alpha, (first, last) = torch.cat(rows), torch.cat(spans).unbind(1)
    centre = alpha @ (torch.arange(FRAMES) + 0.5)
    off = (centre - (first + last) / 2).abs() / (last - first)
    return 100 * float((alpha * cover(first, last, FRAMES)).sum(1).mean()), float(off.mean())


def make(seed: int, alignment: float = 1.0) -> TextSpotter:
    """A study's model; its start weights depend on the seed."""
    torch.manual_seed(seed)
    return TextSpotter(vocabulary().charset, alignment=alignment)


STUDIES = {
    name: Study(
        name,
        replace(RECIPE, name="textspotter"),
        partial(make, alignment=weight),
        partial(SpottingTask, batch_size=RECIPE.batch_size),
        test=test_scores,
        one=spot_one,
    )
    for name, weight in (("textspotter", 1.0), ("textspotter-plain", 0.0))
}
