"""The data of a preset: words split, sentences drawn, LMDB sets written.

Training, validation and test share no label. A set that is there and was made with the same
parameters is kept, so that a stopped run goes on where it was.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ocrkit.data.store import SET_FILES, ImageSet, Item, write_set
from ocrkit.errors import OcrkitError
from ocrkit.experiments.presets import KINDS, PINNED_FONTS, Preset
from ocrkit.files import check_replaceable, read_json, sweep_up, write_json
from ocrkit.hangul import charset as named_charset
from ocrkit.schemas import DataNote
from ocrkit.synth.fonts import Font, find_fonts, usable_fonts
from ocrkit.synth.generate import Generation, Sample, manifest, samples
from ocrkit.synth.words import common_syllables, read_words, split_words, words_over

Watch = Callable[[str, int, int], None]  # name of the set, images done, images in all


@dataclass(frozen=True)
class Plan:
    """What will be generated: the charset, the fonts and one generation per set."""

    charset: str
    fonts: tuple[Font, ...]
    left_out_fonts: dict[str, str]
    words: dict[str, list[str]]
    generations: dict[str, tuple[Generation, ...]]


@dataclass(frozen=True)
class DataSets:
    """The sets on disk, opened when asked for."""

    folder: Path
    charset: str
    fingerprint: str

    def open(self, name: str) -> ImageSet:
        """A set by name, such as "train-basic", "valid", "test-blur" or "seen-skew"."""
        return ImageSet(self.folder / name)


def plan(preset: Preset, words: str | Path | None = None, fonts: str | None = None) -> Plan:
    """Decide what a preset's data is, without making any.

    Args:
        words: another word list (a file) instead of the project's own.
        fonts: another source of fonts than the preset's.

    Raises:
        OcrkitError: no words over the charset, or no font that can draw it.
    """
    listed = read_words(words)
    charset = named_charset("972") if preset.charset == "972" else ""
    charset = charset or "".join(sorted(common_syllables(listed, preset.pool_size)))
    # Whichever words a label draws, it must not be longer than attention can write.
    longest = preset.max_length // preset.words_per_label
    usable = [w for w in words_over(listed, charset) if len(w) <= longest]
    if len(usable) < 10:
        raise OcrkitError(
            f"only {len(usable)} words are written with the {len(charset)} syllables of "
            f"{preset.name}: give a longer word list"
        )
    train_share = 1 - preset.test_words - preset.valid_words
    shares = {"train": train_share, "valid": preset.valid_words, "test": preset.test_words}
    parts = split_words(usable, shares, preset.seed)
    kept, left_out = usable_fonts(find_fonts(fonts or preset.fonts), charset)
    if (fonts or preset.fonts) == "koreanize":
        _check_pinned(kept)
    return Plan(
        charset, tuple(kept), left_out, parts, _generations(preset, parts, tuple(kept), charset)
    )


def _check_pinned(fonts: list[Font]) -> None:
    """Everybody's data is the same only if everybody's faces are."""
    if {font.name: font.sha256 for font in fonts} != PINNED_FONTS:
        raise OcrkitError(
            "the pinned faces have changed: install koreanize-matplotlib 0.1.1, or choose other "
            "faces with --fonts (and get other data)"
        )


def _generations(
    preset: Preset, words: dict[str, list[str]], fonts: tuple[Font, ...], charset: str
) -> dict[str, tuple[Generation, ...]]:
    held_out = frozenset(words["valid"]) | frozenset(words["test"])
    number = iter(range(1000))

    def draw(
        kind: str,
        part: Iterable[str],
        count: int,
        random_share: float = 0.0,
        words_per_label: int = preset.words_per_label,
    ) -> Generation:
        return Generation(
            kind,
            count,
            seed=1000 * preset.seed + next(number),  # no two sets may draw the same samples
            words=tuple(part),
            fonts=fonts,
            words_per_label=words_per_label,
            random_share=random_share,
            random_length=(1, min(4, preset.max_length)),
            syllables=charset if random_share else "",
            held_out=held_out if random_share else frozenset(),
        )

    train, valid, test = (words[part] for part in ("train", "valid", "test"))
    sets: dict[str, tuple[Generation, ...]] = {
        f"train-{k}": (draw(k, train, preset.train_images, preset.random_share),)
        for k in preset.train_kinds
    }
    share = preset.valid_images // len(preset.valid_kinds)
    sets["valid"] = tuple(draw(k, valid, share) for k in preset.valid_kinds)
    sets |= {f"test-{k}": (draw(k, test, preset.test_images),) for k in KINDS}
    sets |= {f"seen-{k}": (draw(k, train, preset.test_images),) for k in preset.train_kinds}
    # Basic, so that they differ from basic sentences by their stretching alone.
    if preset.word_images:
        sets["test-word"] = (draw("basic", test, preset.word_images, words_per_label=1),)
    if preset.syllable_images:
        sets["test-syllable"] = (draw("basic", charset, preset.syllable_images, words_per_label=1),)
    return sets


def prepare(
    preset: Preset,
    folder: str | Path,
    workers: int = 1,
    watch: Watch = lambda name, done, count: None,
    words: str | Path | None = None,
    fonts: str | None = None,
    draw: Callable[[Generation], Iterable[Sample]] | None = None,
) -> DataSets:
    """Make what is missing of a preset's sets under `folder`.

    Args:
        workers: processes that draw.
        words, fonts: as `plan`.
        draw: draws instead of processes of our own, as `ocrkit.experiments.cluster.draw` does.

    Raises:
        OcrkitError: as `plan`, or the disk is full.
    """
    folder, what = Path(folder), plan(preset, words, fonts)
    _check_folder(folder, what)
    prints = {}
    for name, generations in what.generations.items():
        about = {"generator": manifest(*generations)}
        sweep_up(folder / name, SET_FILES)
        if not _is_made(folder / name, about):
            drawn = (s for g in generations for s in (draw(g) if draw else samples(g, workers)))
            total = sum(g.count for g in generations)
            # Our own images need no second look: what was just encoded decodes.
            write_set(folder / name, _items(drawn, name, total, watch), about, verify=False)
        prints[name] = ImageSet(folder / name).fingerprint()
    fingerprint = hashlib.sha256(json.dumps(prints, sort_keys=True).encode()).hexdigest()[:16]
    write_json(
        folder / "data.json",
        {
            "preset": preset.as_dict(),
            "charset": what.charset,
            "fingerprint": fingerprint,
            "sets": prints,
            "fonts": {f.name: f.sha256 for f in what.fonts},
            "fonts_left_out": what.left_out_fonts,
            "words": {name: len(part) for name, part in what.words.items()},
        },
    )
    return DataSets(folder, what.charset, fingerprint)


def _check_folder(folder: Path, what: Plan) -> None:
    """Before hours of drawing: nothing that somebody else wrote may be in the way."""
    note = folder / "data.json"
    try:
        if note.exists():
            read_json(note, DataNote)
    except OcrkitError as error:
        raise OcrkitError(f"{error}, or give another folder: it would be replaced") from None
    for name in what.generations:
        check_replaceable(folder / name, SET_FILES)


def _is_made(path: Path, about: dict) -> bool:
    """Is this very set there already? Its manifest must tell the same story."""
    try:
        told = ImageSet(path).manifest.get("generator")
    except OcrkitError:
        return False
    return told == json.loads(json.dumps(about["generator"], ensure_ascii=False))


def _items(drawn: Iterable[Sample], name: str, total: int, watch: Watch) -> Iterator[Item]:
    for done, one in enumerate(drawn, start=1):
        yield Item(one.image, one.label, f"{one.kind} {one.index}")
        if done % 100 == 0 or done == total:
            watch(name, done, total)
