"""The committed weights read the kit's own pages about as well as pages.csv says."""

import pandas as pd
import pytest
from PIL import Image

from ocrkit.page import read_picture
from ocrkit.page.measure import measure_page
from ocrkit.page.synthetic import PAGES, draw_page
from ocrkit.reader import load_reader
from ocrkit.resources import resource


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(resource("results", "reader", "pages.csv"), index_col="page")


def test_the_table_has_every_page_and_every_line_found(table):
    assert list(table.index) == list(PAGES)
    assert table.found.sum() >= 0.98 * table.lines.sum()
    assert table.extra.sum() <= 0.02 * table.lines.sum()
    assert (table.order == 1).all()
    assert (table.cer * table.characters).sum() / table.characters.sum() < 0.04


@pytest.mark.parametrize("name", ["chat", "notice-light-on-dark"])
def test_two_pages_are_read_as_well_as_the_table_says(table, name):
    page = draw_page(name)
    row = measure_page(page, read_picture(Image.fromarray(page.image), load_reader()))
    assert row["lines"] == table.lines[name]
    assert row["cer"] <= table.cer[name] + 0.01
