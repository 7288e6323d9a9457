"""The list of modules is that of the present code, and every module says what it holds."""

from helpers import ROOT
from helpers.scripts import module


def test_the_list_is_that_of_the_present_code():
    page = module("list_modules").listed()
    assert (ROOT / "docs/modules.md").read_text(encoding="utf-8") == page, (
        "run: python scripts/list_modules.py docs/modules.md"
    )


def test_every_module_says_what_it_holds():
    rows = [line for line in module("list_modules").listed().splitlines() if ".py`" in line]
    assert len(rows) > 200
    assert not [row for row in rows if "` |  |" in row]
