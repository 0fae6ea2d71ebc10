"""What a diagnosis says of sets that are well, and of each thing that goes wrong."""

import io
import unicodedata

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_sets import CHARSET, own_set, picture, words
from PIL import Image

from ocrkit.data.store import ImageSet, Item, write_set
from ocrkit.experiments import diagnose as module
from ocrkit.experiments.diagnose import Finding, diagnose, refuse
from ocrkit.experiments.label_checks import enough_for_most, likeness, narrowest
from ocrkit.hangul import charset as named_charset
from ocrkit.labels import charset_of, frames_needed
from ocrkit.models.features import EXTRACTORS, frames

CTC, ATTN = "None-VGG-BiLSTM-CTC", "TPS-ResNet-BiLSTM-Attn"


def look(train, model=CTC, **changes) -> dict[str, Finding]:
    settings = {"image_width": 64, "max_length": 5, "charset": CHARSET} | changes
    found = diagnose(train, model, **settings)
    levels = [finding.level for finding in found]
    assert levels == sorted(levels, key=("stop", "warn", "ok").index)
    assert len({finding.what for finding in found}) == len(found)
    for finding in found:
        assert len(f"{finding.what}{finding.message}{finding.advice}".splitlines()) == 1
        assert bool(finding.message) == bool(finding.advice) == (finding.level != "ok")
    return {finding.what: finding for finding in found}


@pytest.mark.parametrize("model", [CTC, ATTN])
def test_a_good_set_is_well(tmp_path, model):
    # 700 labels over ten syllables: each is in some 210 images.
    sizes = [(48, 16)] * 700
    train = [own_set(tmp_path / f"{i}", words(700, seed=i), sizes, 700 * i) for i in (0, 1)]
    # Over CHARSET reversed: training holds none of them.
    test = own_set(tmp_path / "test", ["가가", "나나"], first=5000)
    found = look(train, model, test=test)
    assert {finding.level for finding in found.values()} == {"ok"}
    refuse(list(found.values()))


def test_labels_that_do_not_fit_the_frames_and_the_width_that_would_do(tmp_path):
    texts = ["가나"] * 40 + ["가나다라마바사아"] * 9 + ["가가가가가가가가가가"]
    train = own_set(tmp_path / "set", texts)
    # 32 pixels give VGG 7 frames; 8 syllables need 8, ten times 가 need 19.
    frame = look(train, image_width=32, max_length=20)["frames"]
    assert frame.level == "stop"
    assert "10 of 50 labels (20.0 %)" in frame.message
    assert "7 CTC frames of width 32: they need up to 19" in frame.message
    assert "image 40 '가나다라마바사아'" in frame.message
    # 98 % fit 8 frames; 99 % take the longest too.
    assert "--image-width 80 (99 % fit), 80 (all fit)" in frame.advice
    raised = look(train, image_width=32, max_length=20, unfit_limit=0.2)["frames"]
    assert raised.level == "warn"
    assert look(train, image_width=80, max_length=20)["frames"].level == "ok"
    assert look(train, image_width=76, max_length=20)["frames"].level == "stop"
    assert look(train, ATTN, image_width=32, max_length=20)["frames"].level == "ok"


@given(
    labels=st.lists(st.text("가나", min_size=1, max_size=30), min_size=1, max_size=40),
    feature=st.sampled_from(sorted(EXTRACTORS)),
)
def test_the_width_named_is_the_narrowest_at_which_99_percent_fit(labels, feature):
    needs = [frames_needed(label) for label in labels]
    width = narrowest(feature, int(enough_for_most(needs)))

    def fit(width: int) -> float:
        return sum(need <= frames(feature, width) for need in needs) / len(needs)

    assert fit(width) >= 0.99
    assert width == 8 or fit(width - 4) < 0.99


def test_characters_outside_the_charset(tmp_path):
    train = own_set(tmp_path / "set", ["가뷁", "뷁뷁", "나", "A4"])
    found = look(train)["charset"]
    assert found.level == "stop"
    assert "3 of 4 labels (75.0 %) hold 3 characters" in found.message
    assert "뷁 (3), A (1), 4 (1)" in found.message
    # KS X 1001 lacks letters and digits, so it would not do.
    assert "ksx1001" not in found.advice
    assert "--charset data (the 5 characters" in found.advice
    hangul = own_set(tmp_path / "hangul", ["가힘", "나"])
    assert "--charset ksx1001 (2,350 syllables) or" in look(hangul)["charset"].advice
    for charset in (named_charset("ksx1001"), charset_of(hangul.texts())):
        assert look(hangul, charset=charset)["charset"].level == "ok"


def test_decomposed_labels_are_no_foreign_characters(tmp_path):
    train = own_set(tmp_path / "set", [unicodedata.normalize("NFD", "가나다"), "가"])
    assert look(train)["charset"].level == "ok"


def test_invisible_characters_are_spelled_out(tmp_path):
    train = own_set(tmp_path / "set", ["가\u200b", "나\u200b", "다"])
    found = look(train)["charset"]
    assert "U+200B (2)" in found.message
    assert "invisible" in found.advice
    own = look(train, charset=charset_of(train.texts()))["charset"]
    assert (own.level, "U+200B (2)" in own.message) == ("warn", True)


def test_spaces_and_empty_labels(tmp_path):
    items = [Item(picture(i), text) for i, text in enumerate(["가 나", "다", "라 마"])]
    write_set(tmp_path / "set", items)
    found = look(ImageSet(tmp_path / "set"))
    assert found["spaces"].level == "warn"
    assert "2 of 3 labels (66.7 %)" in found["spaces"].message
    assert "(image 0 '가 나', image 2 '라 마')" in found["spaces"].message
    assert found["empty labels"].level == "ok"


def test_labels_over_the_maximum_length(tmp_path):
    texts = [*words(198, 4), "가나다라마바사", "가나다라마바사아자차"]
    train = own_set(tmp_path / "set", texts)
    found = look(train, ATTN)["length"]
    assert found.level == "stop"
    assert "2 of 200 labels (1.0 %) are over max_length = 5" in found.message
    assert found.advice.startswith("--max-length 10 (4 is enough for 99 %")
    assert look(train, ATTN, max_length=10)["length"].level == "ok"
    # CTC has no use for the limit while it trains.
    assert look(train, CTC)["length"].level == "warn"


def test_images_squeezed_and_the_width_to_use(tmp_path):
    # Ten syllables of 32 pixels each: 64 pixels leave 6.4 a syllable; 80 leave 8.
    train = own_set(tmp_path / "set", words(20, 10), [(320, 32)] * 20)
    found = look(train, ATTN, max_length=10)["squeezed"]
    assert found.level == "warn"
    assert "20 of 20" in found.message
    assert "median 6.4" in found.message
    assert found.advice.startswith("--image-width 80")
    assert look(train, ATTN, max_length=10, image_width=80)["squeezed"].level == "ok"
    assert look(train, ATTN, max_length=10, image_width=76)["squeezed"].level == "warn"
    # Latin letters are half as wide: 16 of them take the room of eight syllables.
    latin = own_set(tmp_path / "latin", ["ab" * 8] * 5, [(256, 32)] * 5)
    assert look(latin, ATTN, max_length=16, charset="ab")["squeezed"].level == "ok"


def test_short_and_long_lines_in_one_set(tmp_path):
    sizes = [(32, 32), (640, 32)] * 5
    mixed = own_set(
        tmp_path / "mixed", [w for one in words(5, 5) for w in (one[0], one * 4)], sizes
    )
    found = look(mixed, image_width=320, max_length=20)
    assert "under 32 pixels wide and one in twenty over 640" in found["mixed shapes"].message
    assert "20 times as wide" in found["mixed shapes"].message
    assert found["mixed shapes"].advice.startswith("--pad")
    padded = look(mixed, image_width=320, max_length=20, pad=True)
    assert padded["mixed shapes"].level == "ok"
    # Padded, a narrow image keeps its own width: eight syllables on 32 pixels are a smudge.
    tight = own_set(tmp_path / "tight", ["가나다라마바사아"] * 4, [(32, 32)] * 4)
    assert look(tight, image_width=320, max_length=20)["squeezed"].level == "ok"
    assert "4 of 4" in look(tight, image_width=320, max_length=20, pad=True)["squeezed"].message


def test_pages_and_small_and_stretched_images(tmp_path):
    sizes = [(40, 200), (40, 10), (64, 32), (64, 32)]
    found = look(own_set(tmp_path / "set", words(4), sizes))
    assert "1 of 4 images looked at (25.0 %) are higher than wide (image 0" in (
        found["higher than wide"].message
    )
    assert "1 of 4 images looked at (25.0 %) are under 16 pixels high (image 1" in (
        found["small"].message
    )
    wide = look(own_set(tmp_path / "wide", words(4)), image_width=400)["stretched"]
    assert "about 64 pixels wide, and would be stretched to 400" in wide.message
    assert wide.advice.startswith("--image-width 64")


def test_broken_images(tmp_path):
    whole = picture(1)
    raw = [whole, whole[:-200], b"no picture", whole[:40]]
    write_set(tmp_path / "set", [Item(r, "가") for r in raw], verify=False)
    broken = look(ImageSet(tmp_path / "set"))["broken images"]
    assert broken.level == "warn"
    assert "3 of 4 images looked at (75.0 %)" in broken.message
    assert "image 1: the image does not decode" in broken.message
    assert "image 2: the image does not decode: this is no picture file" in broken.message
    write_set(tmp_path / "bad", [Item(r, "가") for r in raw[1:]], verify=False)
    assert look(ImageSet(tmp_path / "bad"))["broken images"].level == "stop"


def test_enormous_images_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr("ocrkit.data.pictures.MAX_PIXELS", 3000)
    train = own_set(tmp_path / "set", ["가", "나"], [(64, 32), (128, 32)])
    assert "image 1: the image is enormous (128 x 32)" in look(train)["broken images"].message


def test_blank_images_are_named_and_photographs_are_turned_before_they_are_measured(tmp_path):
    def encoded(image: Image.Image, **options) -> bytes:
        out = io.BytesIO()
        image.save(out, "JPEG", **options)
        return out.getvalue()

    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side: 32 x 64 in the file, 64 x 32 for the eye
    lying = Image.open(io.BytesIO(picture(1))).transpose(Image.Transpose.ROTATE_90)
    raw = [encoded(lying, exif=exif), encoded(Image.new("L", (64, 32), 255))]
    write_set(tmp_path / "set", [Item(r, "가나") for r in raw])
    found = look(ImageSet(tmp_path / "set"), test=ImageSet(tmp_path / "set"))
    assert "1 of 2 images looked at (50.0 %) are one grey all over (image 1" in (
        found["contrast"].message
    )
    assert (found["contrast"].level, found["test: contrast"].level) == ("warn", "warn")
    assert found["higher than wide"].level == "ok"
    write_set(tmp_path / "blank", [Item(raw[1], "가나")])
    assert look(ImageSet(tmp_path / "blank"))["contrast"].level == "stop"


def test_few_images_a_syllable(tmp_path):
    train = own_set(tmp_path / "set", ["가나"] * 25 + ["가다"] * 3)
    found = look(train, charset="가나다라마")
    assert (
        "2 of 5 characters of the charset (40.0 %) are in no" in found["unseen characters"].message
    )
    rare = found["images a character"]
    assert "1 of 3 characters (33.3 %) are seen in fewer than 20 images: 다 (3)" in rare.message
    assert (rare.level, found["unseen characters"].level) == ("warn", "warn")
    assert "28 images with 2 different labels: under 1,000 images" in found["size"].message


def test_many_images_of_few_words_are_learnt_as_words(tmp_path):
    train = own_set(tmp_path / "set", words(2, 3) * 600, [(8, 8)] * 1200)
    assert "a model learns these words, not their syllables" in look(train)["size"].message


def test_overlap_of_training_and_test(tmp_path):
    train = own_set(tmp_path / "train", ["가", "나", "다", "라"])
    # Picture 0 of the test is training's 3; its label is training's too, as is that of 나.
    test = own_set(tmp_path / "test", ["라", "나", "마바", "사"], first=3)
    found = look(train, test=test)
    assert "2 of 4 labels (50.0 %)" in found["test: same labels"].message
    assert "1 of 4 images looked at (25.0 %)" in found["test: same images"].message
    assert found["test: same images"].level == "warn"
    assert "마 (1), 바 (1), 사 (1)" in found["test: unseen characters"].message
    itself = look(train, test=train)["test: same images"]
    assert (itself.level, "4 of 4" in itself.message) == ("stop", True)


def test_a_test_set_is_looked_at_for_itself(tmp_path):
    train = own_set(tmp_path / "train", words(5))
    test = own_set(tmp_path / "test", ["뷁", "가나다라마바"], first=50)
    found = look(train, ATTN, test=test)
    assert found["test: charset"].level == "stop"
    assert found["test: length"].level == "stop"
    assert found["charset"].level == found["length"].level == "ok"


def test_sets_are_named_where_there_are_several(tmp_path):
    sets = [own_set(tmp_path / "one", ["가"]), own_set(tmp_path / "two", ["나", "뷁"], first=9)]
    assert "two image 1 '뷁'" in look(sets)["charset"].message


def test_a_large_set_is_sampled(tmp_path, monkeypatch):
    train = own_set(tmp_path / "set", words(30))
    monkeypatch.setattr(module, "SAMPLE", 10)
    assert "10 of 10 images looked at" in look(train, image_width=8)["squeezed"].message


def test_what_cannot_be_looked_at(tmp_path, refused):
    train = own_set(tmp_path / "set", ["가"])
    with refused("did you mean None-VGG-BiLSTM-CTC"):
        look(train, "None-VGG-BiLSM-CTC")
    with refused("each only once"):
        look(train, charset="가가")
    with refused("too narrow"):
        look(train, image_width=4)
    with refused("max_length must be at least 1"):
        look(train, ATTN, max_length=0)
    with refused("no training set"):
        look([])


def test_a_stop_is_one_error_that_says_what_to_do(tmp_path, refused):
    train = own_set(tmp_path / "set", ["가나다라마바", "뷁"])
    found = diagnose(train, ATTN, image_width=64, max_length=5, charset=CHARSET)
    with refused(r"^charset: 1 of 2 .*; what to do: --charset .* \(and 1 more: see"):
        refuse(found)


def test_labels_of_the_test_set_must_fit_the_frames_and_say_something(tmp_path):
    train = own_set(tmp_path / "train", words(9))
    test = own_set(tmp_path / "test", ["가나다라마바사아" * 2, "가"], first=50)
    found = look(train, test=test, max_length=20, image_width=32)
    assert found["frames"].level == "ok"
    frames_of_test = found["test: frames"]
    assert frames_of_test.level == "stop"
    assert "1 of 2 labels (50.0 %) cannot be said in the 7 CTC frames" in frames_of_test.message
    assert "could never be read right (image 0" in frames_of_test.message
    allowed = look(train, test=test, max_length=20, image_width=32, unfit_limit=0.5)
    assert allowed["test: frames"].level == "warn"
    for empty in (" ", "\u3164\u200b"):
        raw_set(tmp_path / f"empty{ord(empty[0])}", ["가", empty])
        nothing = ImageSet(tmp_path / f"empty{ord(empty[0])}")
        told = look(train, test=nothing, charset=f"{CHARSET}\u3164\u200b")["test: empty labels"]
        assert (told.level, "1 of 2 labels" in told.message) == ("stop", True)


def raw_set(path, texts):
    """A set made elsewhere: ours has no empty labels."""
    path.mkdir()
    with lmdb.open(str(path), map_size=2**20) as env, env.begin(write=True) as out:
        for i, text in enumerate(texts, start=1):
            out.put(b"image-%09d" % i, picture(1000 + i))
            out.put(b"label-%09d" % i, text.encode())
        out.put(b"num-samples", b"%d" % len(texts))


@pytest.mark.parametrize("odd", "\u200b\u3164\u115f\ufe0f\uffa0\u034f")
def test_characters_that_draw_nothing_are_named(tmp_path, odd):
    train = own_set(tmp_path / "set", [f"가{odd}나", "다"])
    found = look(train, charset=charset_of(train.texts()))["charset"]
    assert found.level == "warn"
    assert f"holds 1 invisible characters: U+{ord(odd):04X} (1)" in found.message
    assert f"'가\\u{ord(odd):04x}나'" in look(train)["charset"].message


def test_characters_that_look_the_same_are_named(tmp_path):
    texts = ["가·나", "가ㆍ나", "가・나", "A１", "А1", "ㄱ", "\u1100", "“가", '"가', "–", "-"]
    train = own_set(tmp_path / "set", texts)
    found = look(train, charset=charset_of(train.texts()))["look-alikes"]
    assert found.level == "warn"
    for pair in ("· U+00B7 (1), ・ U+30FB (1), ㆍ U+318D (1)", "A U+0041 (1), А U+0410 (1)"):
        assert pair in found.message
    for group in ("1 U+0031 (1), １ U+FF11 (1)", "U+1100 (1), ㄱ U+3131 (1)", '" U+0022 (1), “'):
        assert group in found.message
    assert (
        look(own_set(tmp_path / "good", ["가-나", "l1I|", "ㄱㄲ²2"]))["look-alikes"].level == "ok"
    )


@pytest.mark.parametrize("pair", ["가각", "ㄱㄴ", "아어", "O0", "o。", ".,", "1l", "2²", "ㅔㅐ"])
def test_characters_that_can_be_told_apart_are_no_look_alikes(pair):
    assert likeness(pair[0]) != likeness(pair[1])
