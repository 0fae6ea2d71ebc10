"""Characters that look the same and are different ones: no model can tell which was meant."""

import re
import unicodedata
from collections import Counter, defaultdict

from ocrkit.experiments.label_checks import ConcatImageSets, Finding

# Each row is drawn nearly alike in common Korean fonts. Latin letters and digits that are only
# similar (l, I, 1) are not here: they are told apart by their neighbours.
_ALIKE = (
    "·ㆍ・･•‧∙⋅",
    '"“”„‟″〃',
    "'‘’‚‛′`´",
    "-‐‑‒–—―−ーㅡ─",
    "~〜∼˜",
    "|│ㅣ∣",
    "○〇◯",
    ":∶ː",
    "/∕⁄",
    "×✕✖",
    *("AΑА", "BΒВ", "EΕЕ", "HΗН", "IΙ", "KΚК", "MΜМ", "NΝ", "OΟО", "PΡР", "CС", "TΤТ", "XΧХ"),
    *("ZΖ", "YΥ", "aа", "cс", "eе", "oοо", "pр", "xх"),
)
_FIRST = {character: row[0] for row in _ALIKE for character in row}
# ㄱ is a letter, an initial, a final and a half-width letter.
_JAMO = re.compile(r"(?:HALFWIDTH )?HANGUL (?:LETTER|CHOSEONG|JUNGSEONG|JONGSEONG) (.+)")


def likeness(character: str) -> str:
    """What stands for all characters that look like this one."""
    if unicodedata.decomposition(character).startswith(("<wide>", "<narrow>")):
        character = unicodedata.normalize("NFKC", character)
    if character in _FIRST:
        return _FIRST[character]
    jamo = _JAMO.fullmatch(unicodedata.name(character, ""))
    return jamo[1] if jamo else character


def check_look_alikes(data: ConcatImageSets) -> Finding:
    """Is something written in two ways that no image can tell apart?"""
    counts = Counter(c for label in data.labels for c in set(label))
    groups = defaultdict(list)
    for character in sorted(counts):
        groups[likeness(character)].append(character)
    alike = [group for group in groups.values() if len(group) > 1]
    if not alike:
        return Finding("ok", "look-alikes", "no two characters of the labels look the same")
    shown = "; ".join(
        ", ".join(f"{c} U+{ord(c):04X} ({counts[c]:,})" for c in group) for group in alike[:6]
    )
    more = f"; and {len(alike) - 6} more" if len(alike) > 6 else ""
    text = f"characters that look the same count as different ones: {shown}{more}"
    return Finding("warn", "look-alikes", text, "write each in one way in all labels")
