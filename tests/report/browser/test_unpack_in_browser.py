"""What the page holds compressed, unpacked by its own script in Chromium."""

import base64
import gzip
import random
from importlib import resources

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TEXTS = {
    "nothing": "",
    "a letter": "a",
    "letters of several bytes": "äöü€😀" * 3,
    "repetition": "ACGT" * 100_000,
    "disorder": "".join(random.Random(0).choices([chr(of) for of in range(32, 8192)], k=70_000)),
}


@pytest.fixture(scope="module")
def unpack(chromium):
    """The function of the page's script."""
    page = chromium.new_page()
    script = resources.files("hyenadna.report.page").joinpath("unpack.js")
    page.add_script_tag(content=script.read_text(encoding="utf-8"))
    yield lambda packed: page.evaluate("packed => unpack(packed)", packed)
    page.close()


@pytest.mark.parametrize("level", [0, 1, 9])  # blocks that are stored, of fixed and of own codes
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_comes_out_as_it_went_in(unpack, text, level):
    packed = gzip.compress(text.encode(), level, mtime=0)
    assert unpack(base64.b64encode(packed).decode()) == text
