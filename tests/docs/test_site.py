"""The site of the documentation: it builds, and loads nothing from third parties."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers import ROOT
from helpers.scripts import module
from PIL import Image

OWN = "https://realtime-bg.github.io/realtime-bg/"
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "srcset", "video": "src"}


class Loads(HTMLParser):
    """The addresses that a browser loads when it opens a page, without being asked."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "link" and given.get("rel") not in ("canonical", "next", "prev", "alternate"):
            self.found.append(given["href"])
        if LOADED.get(tag) in given:
            self.found.append(given[LOADED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("zensical", reason="needs the extra docs")
    folder = tmp_path_factory.mktemp("built") / "site"
    assert module("build_site").main([str(folder)]) == 0
    return folder


def test_every_page_is_built(site):
    pages = [page.stem for page in (ROOT / "docs").glob("*.md") if page.stem != "index"]
    pages += ["changelog", "contributing", "model-card", "settings"]
    assert [name for name in pages if not (site / name / "index.html").is_file()] == []


def test_nothing_is_loaded_from_third_parties(site):
    loaded = set()
    for page in site.rglob("*.html"):
        parser = Loads()
        parser.feed(page.read_text(encoding="utf-8"))
        loaded |= set(parser.found)
    for sheet in site.rglob("*.css"):
        loaded |= set(re.findall(r"url\(([^)]+)\)", sheet.read_text(encoding="utf-8")))
    assert any("bundle" in address for address in loaded)
    strange = [each for each in loaded if re.match(r"['\"]?(https?:)?//", each)]
    assert [each for each in strange if not each.startswith(OWN)] == []


def test_the_pictures_of_the_site_are_there(site):
    home = (site / "index.html").read_text(encoding="utf-8")
    assert "moving-picture.webp" in home
    for page in site.rglob("index.html"):
        for address in re.findall(r'<img[^>]* src="?([^" >]+)', page.read_text(encoding="utf-8")):
            assert (page.parent / address).is_file(), f"{page}: {address}"


def test_the_moving_picture_moves_forever_and_is_small():
    path = ROOT / "docs/moving-picture.webp"
    with Image.open(path) as picture:
        assert picture.n_frames > 50
        assert picture.info["loop"] == 0
        first = np.asarray(picture.convert("RGB"), int)
        picture.seek(picture.n_frames // 2)
        assert abs(np.asarray(picture.convert("RGB"), int) - first).mean() > 10
    assert path.stat().st_size < 700_000


def test_links_out_of_docs_lead_to_github_and_others_stay():
    rewritten = module("build_site").rewritten
    source = "[a](../LICENSE) [b](engines.md#rvm) [c](../CHANGELOG.md) [d](../examples) [e](no.txt)"
    github = "https://github.com/realtime-bg/realtime-bg"
    assert rewritten(source, "docs/index.md") == (
        f"[a]({github}/blob/main/LICENSE) [b](engines.md#rvm) [c](changelog.md) "
        f"[d]({github}/tree/main/examples) [e](no.txt)"
    )
    assert rewritten("[a](docs/engines.md)", "CONTRIBUTING.md", "contributing.md") == (
        "[a](engines.md)"
    )


def test_a_link_that_leads_nowhere_is_refused(tmp_path, monkeypatch, capfd):
    pytest.importorskip("zensical", reason="needs the extra docs")
    script = module("build_site")
    prepare = script.prepare

    def damaged(work):
        prepare(work)
        with (work / "docs/using.md").open("a") as page:
            page.write("\n[nowhere](nosuch.md)\n")

    monkeypatch.setattr(script, "prepare", damaged)
    assert script.main([str(tmp_path / "site")]) == 1
    assert not (tmp_path / "site").exists()


def test_a_folder_with_other_files_is_not_replaced(tmp_path):
    pytest.importorskip("zensical", reason="needs the extra docs")
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(SystemExit, match="something else than a site"):
        module("build_site").main([str(tmp_path)])
    assert (tmp_path / "thesis.txt").is_file()
