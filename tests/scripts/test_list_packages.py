"""The page of packages and licences names what the program requires, and every copyleft part."""

import pytest
from helpers import ROOT
from helpers.scripts import module

from realtime_bg.installing import requirements

COPYLEFT = ("GPL", "MPL", "EUPL", "CDDL", "EPL")


@pytest.fixture(scope="module")
def script():
    return module("list_packages")


def test_the_page_names_all_that_is_required(script):
    page = (ROOT / "docs/packages.md").read_text()
    needs = [need.name for extra in ("", *script.EXTRAS) for need in requirements(extra)]
    missing = [name for name in needs if f"| `{name.lower()}` |" not in page]
    assert needs
    assert missing == [], "run: python scripts/list_packages.py docs/packages.md"


def test_every_copyleft_package_is_named_in_the_readme(script):
    licences = (ROOT / "README.md").read_text().partition("## Licences")[2]
    found = []
    for extra in ("", *script.EXTRAS):
        for name in script.packages(extra):
            terms = f"{script.licence(name)} {script.CONTAINS.get(name, '')}"
            if any(word in terms for word in COPYLEFT) and "exception" not in terms:
                found.append(name)
    assert {"av", "certifi", "opencv-python"} <= set(found)
    assert [name for name in found if name not in licences] == []
    assert [name for name in found if f"`{name}`" not in script.HEAD] == []


def test_the_table_has_a_row_for_each_package(script):
    page = script.listed()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    names = [row.split("`")[1] for row in rows if row.count("|") == 6]
    assert {"numpy", "urllib3", "fastapi", "pi-heif"} <= set(names)
    assert len(names) == len(set(names)), "what the base has is not listed again"
    assert all("| ? |" not in row for row in rows), "a package without a licence"
