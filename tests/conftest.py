"""What all tests share: one thread, no deadlines, and the shape of an error a user may meet."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import hypothesis
import pytest
import torch

from ocrkit.errors import OcrkitError

# A deadline would measure the machine, not the code.
hypothesis.settings.register_profile("ocrkit", deadline=None, max_examples=60)
hypothesis.settings.load_profile("ocrkit")


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@contextmanager
def _refused(pattern: str) -> Iterator[None]:
    with pytest.raises(OcrkitError, match=pattern) as caught:
        yield
    assert len(str(caught.value).splitlines()) == 1, "an error for a user is one line"


@pytest.fixture(scope="session")
def refused() -> Callable[[str], AbstractContextManager[None]]:
    """`with refused("what it says"): ...`: an OcrkitError of one line."""
    return _refused
