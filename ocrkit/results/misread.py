"""A page of what was misread: each image, what was read and what is written, the worst first."""

import base64
import html
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from PIL import Image
from rapidfuzz.distance import Levenshtein

from ocrkit.data.pictures import decode

# A page of more images than this is slow to open, and nobody reads on so far.
MOST = 500
_MOST_SIZE = (900, 120)
_STYLE = """body{font:16px/1.5 sans-serif;margin:2em auto;max-width:60em;padding:0 1em}
table{border-collapse:collapse;width:100%}td,th{border-top:1px solid #ddd;padding:.4em;
text-align:left;vertical-align:top}img{max-width:100%}mark{background:#fbb}
p.text{margin:0;font-size:1.2em;white-space:pre-wrap;overflow-wrap:anywhere}
small{color:#666}"""


@dataclass(frozen=True)
class Misread:
    """One image that was misread: where it stands, its encoded bytes, read and true text."""

    where: str
    image: bytes
    read: str
    true: str

    @property
    def edits(self) -> int:
        """Characters to insert, delete or replace."""
        return Levenshtein.distance(self.read, self.true)

    @property
    def rate(self) -> float:
        """Edits a character of the true text."""
        return self.edits / max(len(self.true), 1)


def misread_page(title: str, misread: Iterable[Misread], images: int) -> str:
    """An HTML page that needs no other file.

    Args:
        misread: in any order; at most `MOST` are shown.
        images: how many were read in all.
    """
    worst = sorted(misread, key=lambda one: (-one.rate, -one.edits, one.where))
    said = f"{len(worst)} of {images} images misread"
    if len(worst) > MOST:
        said += f", of which the worst {MOST} are shown"
    rows = "".join(map(_row, worst[:MOST]))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{_safe(title)}</title><style>{_STYLE}</style>"
        f"<h1>{_safe(title)}</h1><p>{said}, the worst first. What differs is marked.</p>"
        f"<table><tr><th>image<th>written, and below it read<th>edits</tr>{rows}</table></html>\n"
    )


def _row(one: Misread) -> str:
    wrong = Levenshtein.opcodes(one.true, one.read)
    changed = [part for part in wrong if part.tag != "equal"]
    true = _marked(one.true, [(part.src_start, part.src_end) for part in changed])
    read = _marked(one.read, [(part.dest_start, part.dest_end) for part in changed])
    return (
        f'<tr><td><img alt="" src="{_picture(one.image)}"><br><small>{_safe(one.where)}</small>'
        f'<td><p class="text">{true}</p><p class="text">{read or "(nothing)"}</p>'
        f"<td>{one.edits} of {len(one.true)}</tr>\n"
    )


def _marked(text: str, spans: list[tuple[int, int]]) -> str:
    """A text with some spans marked; a missing space is seen by its mark alone."""
    out, before = [], 0
    for start, end in spans:
        out.append(_safe(text[before:start]))
        if end > start:
            out.append(f"<mark>{_safe(text[start:end])}</mark>")
        before = end
    return "".join([*out, _safe(text[before:])])


_safe = partial(html.escape, quote=True)


def _picture(image: bytes) -> str:
    """Decoded and written anew: nothing but pixels comes from the file."""
    grey = decode(image)
    grey.thumbnail(_MOST_SIZE, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    grey.save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")
