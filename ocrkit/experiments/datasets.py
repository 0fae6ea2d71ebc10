"""The data of a preset: words split, sentences drawn, LMDB sets written.

Training, validation and test share no label. A set that is there and was made with the same
parameters is kept, so that a stopped run goes on where it was.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ocrkit.data.store import SET_FILES, ImageSet, Item, write_set
from ocrkit.errors import OcrkitError
from ocrkit.experiments.presets import KINDS, PINNED_FONTS, Preset
from ocrkit.files import check_replaceable, read_json, sweep_up, write_json
from ocrkit.hangul import charset as named_charset
from ocrkit.schemas import DataNote
from ocrkit.synth.fonts import Font, drawn_by_none, find_fonts, usable_fonts
from ocrkit.synth.generate import Generation, Sample, manifest, samples
from ocrkit.synth.words import WordList, common_characters, read_word_list, split_words, words_over

Watch = Callable[[str, int, int], None]  # name of the set, images done, images in all


@dataclass(frozen=True)
class Plan:
    """What will be generated: the charset, the fonts and one generation per set."""

    preset: Preset
    choices: dict[str, str | int]  # what the user chose in place of the preset's settings
    charset: str
    fonts: tuple[Font, ...]
    left_out_fonts: dict[str, str]  # name -> why
    # reason -> entries of the word list that are not drawn, or not as they are
    left_out_words: dict[str, list[str]]
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


def plan(
    preset: Preset,
    words: str | Path | None = None,
    fonts: str | None = None,
    *,
    syllables: int | None = None,
    longest: int | None = None,
    all_characters: bool = False,
) -> Plan:
    """Decide what a preset's data is, without making any.

    words: another word list (a file) instead of the project's own.
    fonts: another source of fonts than the preset's.
    syllables: how many of the commonest characters are drawn, instead of the preset's; 0: all.
    longest: characters of the longest word, instead of the preset's.
    all_characters: not Hangul alone: digits, Latin letters, Hanja and signs of the word list.
    Raises OcrkitError: no words over the charset, or no font that can draw it.
    """
    choices = {
        "--words": str(words or ""),
        "--fonts": fonts or "",
        "--syllables": syllables,
        "--longest": longest,
        "--all-characters": all_characters or None,
    }
    if longest:
        preset = replace(preset, max_length=longest * preset.words_per_label)
    if syllables is not None or all_characters:
        preset = replace(preset, charset="pool", pool_size=syllables or preset.pool_size)
    source = fonts or preset.fonts
    found = find_fonts(source)
    # Everybody's data is the same only if everybody's faces are.
    if source == "koreanize" and {font.name: font.sha256 for font in found} != PINNED_FONTS:
        raise OcrkitError(
            "the pinned faces have changed: install koreanize-matplotlib 0.1.1, or choose other "
            "faces with --fonts (and get other data)"
        )
    charset, usable, left_out = _choose_words(
        preset, read_word_list(words, not all_characters), found, every=syllables == 0
    )
    kept, unusable = usable_fonts(found, charset)
    train_share = 1 - preset.test_words - preset.valid_words
    shares = {"train": train_share, "valid": preset.valid_words, "test": preset.test_words}
    parts = split_words(usable, shares, preset.seed)
    return Plan(
        preset,
        {name: chosen for name, chosen in choices.items() if chosen not in (None, "")},
        charset,
        tuple(kept),
        unusable,
        left_out,
        parts,
        _generations(preset, parts, tuple(kept), charset),
    )


def _choose_words(
    preset: Preset, listed: WordList, fonts: list[Font], every: bool
) -> tuple[str, list[str], dict[str, list[str]]]:
    """The charset, the words over it that are short enough, and reason -> those that are not."""
    # Whichever words a label draws, it must not be longer than attention can write.
    longest = preset.max_length // preset.words_per_label
    undrawable = set(drawn_by_none(fonts, common_characters(listed.words)))
    drawable = [word for word in listed.words if undrawable.isdisjoint(word)]
    if preset.charset == "pool":
        size = None if every else preset.pool_size
        charset = "".join(sorted(common_characters(drawable, size)))
    else:
        charset = named_charset(preset.charset)
    allowed, over = frozenset(charset), words_over(drawable, charset)
    shown = "".join(sorted(undrawable)[:20])
    shown += f" and {len(undrawable) - 20:,} more" if len(undrawable) > 20 else ""
    usable = [word for word in over if len(word) <= longest]
    reasons = {
        "hold no Hangul syllable (--all-characters keeps them)": listed.wordless,
        "are drawn without what is no Hangul syllable (--all-characters keeps it)": [
            f"{entry} as {word}" for entry, word in listed.shortened.items()
        ],
        f"hold characters that no font has ({shown})": [
            word for word in listed.words if not undrawable.isdisjoint(word)
        ],
        f"hold other characters than the {len(charset)} commonest (--syllables 0 takes all)": [
            word for word in drawable if not allowed.issuperset(word)
        ],
        f"are over {longest} characters long (--longest)": [w for w in over if len(w) > longest],
    }
    left_out = {reason: entries for reason, entries in reasons.items() if entries}
    if len(usable) < 10:
        parts = [f"{len(usable)} words can be drawn, and 10 are needed"]
        parts += [f"{first_few(entries)} {reason}" for reason, entries in left_out.items()]
        raise OcrkitError(f"{'; '.join(parts)}: give more")
    return charset, usable, left_out


def first_few(entries: Sequence[str]) -> str:
    """How many entries, and the first of them: "7 words (가, 나, 다, 라, 마 and 2 more)"."""
    more = f" and {len(entries) - 5:,} more" if len(entries) > 5 else ""
    return f"{len(entries):,} words ({', '.join(entries[:5])}{more})"


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
    planned: Plan | None = None,
) -> DataSets:
    """Make what is missing of a preset's sets under `folder`.

    workers: processes that draw.
    planned: what `plan` made of the preset and of other choices.
    Raises OcrkitError: as `plan`, the disk is full, or the folder holds something else.
    """
    folder, what = Path(folder), planned or plan(preset)
    _check_folder(folder, what)
    prints = {}
    for name, generations in what.generations.items():
        about = {"generator": json.loads(json.dumps(manifest(*generations)))}
        sweep_up(folder / name, SET_FILES)
        there = None
        with contextlib.suppress(OcrkitError):
            there = ImageSet(folder / name).manifest.get("generator")
        if there != about["generator"]:
            drawn = (one for g in generations for one in samples(g, workers))
            total = sum(g.count for g in generations)
            # Our own images need no second look: what was just encoded decodes.
            write_set(folder / name, _items(drawn, name, total, watch), about, verify=False)
        prints[name] = ImageSet(folder / name).fingerprint()
    fingerprint = hashlib.sha256(json.dumps(prints, sort_keys=True).encode()).hexdigest()[:16]
    write_json(
        folder / "data.json",
        {
            "preset": what.preset.as_dict(),
            "choices": what.choices,
            "charset": what.charset,
            "fingerprint": fingerprint,
            "sets": prints,
            "fonts": {f.name: f.sha256 for f in what.fonts},
            "fonts_left_out": what.left_out_fonts,
            "words": {name: len(part) for name, part in what.words.items()},
            "words_left_out": {why: len(words) for why, words in what.left_out_words.items()},
        },
    )
    return DataSets(folder, what.charset, fingerprint)


def _check_folder(folder: Path, what: Plan) -> None:
    """Before hours of drawing: nothing that somebody else wrote, or chose, may be in the way."""
    note, before = folder / "data.json", {}
    try:
        if note.exists():
            before = read_json(note, DataNote).get("choices", {})
    except OcrkitError as error:
        raise OcrkitError(f"{error}, or give another folder: it would be replaced") from None
    if before and before != what.choices:
        was = " ".join(f"{name} {chosen}".removesuffix(" True") for name, chosen in before.items())
        raise OcrkitError(
            f"{folder} was drawn with {was}, and would be replaced: give another folder, or train "
            "on its sets by name (--train)"
        )
    for name in what.generations:
        check_replaceable(folder / name, SET_FILES)


def _items(drawn: Iterable[Sample], name: str, total: int, watch: Watch) -> Iterator[Item]:
    for done, one in enumerate(drawn, start=1):
        yield Item(one.image, one.label, f"{one.kind} {one.index}")
        if done % 100 == 0 or done == total:
            watch(name, done, total)
