"""A batch is a function of (seed, step): equal parts, every image once an epoch."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.data.batches import Batches
from ocrkit.data.cache import Pixels

SIZES = st.lists(st.integers(1, 23), min_size=1, max_size=3)


def sources(sizes: list[int]) -> list[Pixels]:
    """Sets whose pixels tell their source and index: pixel = [source, index]."""
    made = []
    for number, size in enumerate(sizes):
        pixels = np.array([[[number, i]] for i in range(size)], dtype=np.uint8)
        made.append(Pixels(pixels, [f"{number}/{i}" for i in range(size)], []))
    return made


@given(SIZES, st.integers(1, 5), st.integers(0, 9))
def test_every_image_once_an_epoch(sizes, part, seed):
    batches = Batches(sources(sizes), part * len(sizes), seed)
    for number, size in enumerate(sizes):
        steps = -(-3 * size // part)
        walked = np.concatenate([batches.indices(step)[number] for step in range(steps)])
        for epoch in range(3):
            assert sorted(walked[epoch * size : (epoch + 1) * size]) == list(range(size))


@given(SIZES, st.integers(1, 5), st.integers(0, 9), st.integers(0, 50))
def test_equal_parts_and_texts_of_their_pixels(sizes, part, seed, step):
    batch = Batches(sources(sizes), part * len(sizes), seed)[step]
    assert batch.pixels.shape == (part * len(sizes), 1, 2)
    assert batch.texts == [f"{number}/{i}" for number, i in batch.pixels[:, 0].tolist()]
    counts = Counter(text.split("/")[0] for text in batch.texts)
    assert counts == {str(number): part for number in range(len(sizes))}


@given(SIZES, st.integers(1, 5), st.integers(0, 9), st.permutations(range(8)))
def test_a_batch_depends_on_seed_and_step_alone(sizes, part, seed, steps):
    first = Batches(sources(sizes), part * len(sizes), seed)
    texts = [first[step].texts for step in range(8)]
    again = Batches(sources(sizes), part * len(sizes), seed)
    for step in steps:  # in any order, as a resumed run would
        assert again[step].texts == texts[step]


@given(SIZES, st.integers(1, 4), st.integers(1, 4), st.integers(0, 9), st.integers(0, 50))
def test_the_parts_of_all_processes_are_the_batch(sizes, part, processes, seed, step):
    # Equal parts a source, and a whole number of rows a process; not every source divides.
    rows = part * processes * len(sizes)
    batches = Batches(sources(sizes), rows, seed, processes)
    whole = batches[step]
    parts = [batches.part(step, rank, processes) for rank in range(processes)]
    assert {len(one.texts) for one in parts} == {rows // processes}
    assert Counter(t for one in parts for t in one.texts) == Counter(whole.texts)
    assert batches.texts(step) == whole.texts
    for one in parts:
        assert one.texts == [f"{number}/{i}" for number, i in one.pixels[:, 0].tolist()]
        # Each process has its share of each source, as evenly as can be.
        counts = Counter(text.split("/")[0] for text in one.texts)
        assert max(counts.values()) - min(counts[str(n)] for n in range(len(sizes))) <= 1


@given(SIZES, st.integers(1, 3), st.integers(1, 3), st.integers(0, 9))
def test_together_they_see_every_image_once_an_epoch(sizes, part, processes, seed):
    size = min(sizes)
    batches = Batches(sources(sizes), part * processes * len(sizes), seed, processes)
    for number, size in enumerate(sizes):
        steps = range(-(-size // (part * processes)))
        seen = [
            [
                text
                for rank in range(processes)
                for text in batches.part(step, rank, processes).texts
            ]
            for step in steps
        ]
        ours = [[t for t in texts if t.startswith(f"{number}/")] for texts in seen]
        whole, last = [t for texts in ours[:-1] for t in texts], ours[-1]
        # The last batch of the epoch begins the next one.
        left = {f"{number}/{i}" for i in range(size)} - set(whole)
        assert len(set(whole)) == len(whole)
        assert left <= set(last)


def test_seeds_epochs_and_sources_have_orders_of_their_own():
    def walk(seed: int, source: int, epoch: int) -> list[int]:
        return Batches(sources([200, 200]), 400, seed).indices(epoch)[source].tolist()

    orders = [walk(*which) for which in ((1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1))]
    assert all(a != b for i, a in enumerate(orders) for b in orders[:i])
    assert all(order != sorted(order) for order in orders)


def test_batches_that_cannot_be(refused):
    with refused("at least one source"):
        Batches([], 4, 0)
    for size in (0, 3, -2):
        with refused("choose a multiple of 2"):
            Batches(sources([5, 5]), size, 0)
    with refused("a batch of 6 cannot be split over 4 processes: choose a multiple of 4"):
        Batches(sources([5, 5]), 6, 0, processes=4)
