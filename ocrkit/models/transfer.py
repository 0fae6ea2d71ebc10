"""Going on from trained weights with other characters (transfer learning, 전이학습).

A model's layers do not depend on what it reads, but for the head's rows, of which each belongs to
one character. What both charsets have is kept, the rest starts anew.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ocrkit.errors import OcrkitError
from ocrkit.models.checkpoints import load_checkpoint
from ocrkit.models.jamo import SYLLABLES, JamoCTC
from ocrkit.models.prediction import Attention
from ocrkit.models.recognizer import Recognizer
from ocrkit.models.reference import check_there, load_reference

_ROWS = ("head.weight", "head.bias", "head.generator.weight", "head.generator.bias")
_ROWS += ("head.characters.weight",)


def load_model(
    path: str | Path, charset: str | None = None, option: str = "--charset", **sizes: Any
) -> tuple[Recognizer, dict[str, Any]]:
    """A checkpoint of ours, or a .pth file of the reference framework: the model, its description.

    charset: of a .pth file, which does not hold its characters: these, in training order.
    option: what a person types to give them.
    sizes: image_width and max_length of a .pth file; None where they are not known.
    Raises OcrkitError: files that are missing, broken, not finite, or need (or know) their charset.
    """
    sizes = {name: size for name, size in sizes.items() if size is not None}
    if Path(path).suffix != ".pth":
        if charset is None and not sizes:
            return load_checkpoint(path)
        raise OcrkitError(
            f"{path} knows its own characters and sizes: {option}, --image-width and "
            "--max-length are for .pth files"
        )
    check_there(path)
    if charset is None:
        raise OcrkitError(
            f"{path} does not hold its characters: give them, in the order of its training, with "
            f"{option} FILE"
        )
    return load_reference(path, charset=charset, **sizes), {"charset": charset}


@dataclass(frozen=True)
class Start:
    """Trained weights to begin with, and the characters that their classes stand for."""

    path: Path
    model: Recognizer
    charset: str
    pad: bool = False

    @property
    def digest(self) -> str:
        """16 hex digits that change with any weight or character."""
        return digest(self.model, self.charset)

    def check(self, name: str, width: float) -> None:
        """Raises OcrkitError: another model, another width, or for images not 32 pixels high."""
        mine = self.model
        if mine.name != name:
            raise OcrkitError(
                f"{self.path} is a {mine.name}, not a {name}: leave the model's name out, or start "
                "from another"
            )
        if mine.width != width:
            raise OcrkitError(
                f"{self.path} has layers of width {mine.width:g}, not {width:g}: leave --width out"
            )
        if mine.image_height != 32:
            raise OcrkitError(
                f"{self.path} reads images {mine.image_height} pixels high, and training makes "
                "them 32: start from another"
            )

    def kept(self, charset: str, image_width: int) -> str:
        """What a model of other characters, for images of so many pixels, takes over: a line."""
        layers = {key.rpartition(".")[0] for key in self.model.state_dict()}
        known = sum(c in self.charset for c in charset)
        anew = len(charset) - known
        text = f"from {self.path}: all {len(layers)} layers are kept, {known} characters of "
        text += f"{len(charset)} are known" + (f", {anew} start anew" if anew else "")
        if (before := self.model.image_width) != image_width:
            text += f"; its images were {before} pixels wide, these are {image_width}"
        return text


def load_start(path: Path, charset: str | None = None) -> Start:
    """What `load_model` reads, as a start; errors as there."""
    model, described = load_model(path, charset, "--from-charset")
    return Start(path, model, described["charset"], described.get("info", {}).get("pad", False))


def digest(model: torch.nn.Module, charset: str = "") -> str:
    """16 hex digits that change with any weight or character."""
    found = hashlib.sha256(charset.encode("utf-8"))
    for value in model.state_dict().values():
        found.update(value.numpy().tobytes())
    return found.hexdigest()[:16]


@torch.no_grad()
def carry_over(start: Start, model: Recognizer, charset: str) -> None:
    """Copy what means the same into a model of the same layers.

    start: checked against the model (`Start.check`).
    charset: the model's own, in the order of its ids (see `jamo_charset` for JamoCTC).
    """
    old, new = start.model.state_dict(), model.state_dict()
    special, known = model.classes - len(charset), start.charset
    if isinstance(model.head, JamoCTC):  # its letters stay where they are
        special = model.head.out_features - model.head.others
        charset, known = (text[len(SYLLABLES) :] for text in (charset, known))
    theirs = {c: special + i for i, c in enumerate(known)}
    both = [(special + i, theirs[c]) for i, c in enumerate(charset) if c in theirs]
    ours, their_ids = torch.tensor([*((i, i) for i in range(special)), *both]).T
    before = model.head.inputs if isinstance(model.head, Attention) else 0
    for key, value in old.items():
        if key in _ROWS:
            new[key][ours] = value[their_ids]
        elif key == "head.rnn.weight_ih":  # the context's columns, then one a class
            new[key][:, :before] = value[:, :before]
            new[key][:, before + ours] = value[:, before + their_ids]
        else:
            new[key].copy_(value)
