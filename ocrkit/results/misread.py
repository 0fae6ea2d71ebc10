"""A page of what was misread: each image, what was read and what is written, the worst first."""

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass

from jinja2 import Environment
from PIL import Image
from rapidfuzz.distance import Levenshtein

from ocrkit.data.pictures import decode

# A page of more images than this is slow to open, and nobody reads on so far.
MOST = 500
_MOST_SIZE = (900, 120)
_PAGE = Environment(autoescape=True).from_string("""<!doctype html><html lang="en">
<meta charset="utf-8"><title>{{ title }}</title><style>
body{font:16px/1.5 sans-serif;margin:2em auto;max-width:60em;padding:0 1em}
table{border-collapse:collapse;width:100%}td,th{border-top:1px solid #ddd;padding:.4em;
text-align:left;vertical-align:top}img{max-width:100%}mark{background:#fbb}
p.text{margin:0;font-size:1.2em;white-space:pre-wrap;overflow-wrap:anywhere}
small{color:#666}</style>
{%- macro marked(parts) %}<p class="text">{% for part, differs in parts %}
{%- if differs %}<mark>{{ part }}</mark>{% else %}{{ part }}{% endif %}
{%- else %}(nothing){% endfor %}</p>{% endmacro %}
<h1>{{ title }}</h1><p>{{ worst | length }} of {{ images }} images misread
{%- if worst | length > most %}, of which the worst {{ most }} are shown{% endif %}, the worst
first. What differs is marked.</p><table><tr><th>image<th>written, and below it read<th>edits</tr>
{%- for one in worst[:most] %}
<tr><td><img alt="" src="{{ one.picture() }}"><br><small>{{ one.where }}</small>
<td>{% for parts in one.parts() %}{{ marked(parts) }}{% endfor %}<td>{{ one.edits }} of
{{- " " ~ one.true | length }}</tr>{% endfor %}</table></html>
""")


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

    def parts(self) -> list[list[tuple[str, bool]]]:
        """The true text and the read one, each in parts, with whether a part differs."""
        found = Levenshtein.opcodes(self.true, self.read)
        true = [(self.true[p.src_start : p.src_end], p.tag != "equal") for p in found]
        read = [(self.read[p.dest_start : p.dest_end], p.tag != "equal") for p in found]
        return [[part for part in parts if part[0]] for parts in (true, read)]

    def picture(self) -> str:
        """Decoded and written anew: nothing but pixels comes from the file."""
        grey = decode(self.image)
        grey.thumbnail(_MOST_SIZE, Image.Resampling.LANCZOS)
        out = io.BytesIO()
        grey.save(out, "PNG", optimize=True)
        return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")


def misread_page(title: str, misread: Iterable[Misread], images: int) -> str:
    """An HTML page that needs no other file.

    misread: in any order; at most `MOST` are shown.
    images: how many were read in all.
    """

    def worst_first(one: Misread) -> tuple[float, int, str]:
        return -one.edits / max(len(one.true), 1), -one.edits, one.where

    worst = sorted(misread, key=worst_first)
    return _PAGE.render(title=title, worst=worst, images=images, most=MOST)
