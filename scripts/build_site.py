"""Build the site of the documentation.

python scripts/build_site.py site && python -m http.server -d site

The pages are the files of docs/, and a few files from outside it. Their links are relative paths
within the repository, which work on GitHub and in a clone. In a temporary copy, links to files that
are no pages are led to GitHub, and then Zensical (extra docs, mkdocs.yml) builds the site from it.
Any warning, such as a link or an anchor that leads nowhere, is an error: exit code 1.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://github.com/realtime-bg/realtime-bg"
PAGES = {  # the files from outside docs/ that are pages of the site
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "config.yaml": "settings.md",
    "models/README.md": "model-card.md",
}
ICON = "realtime_bg/web/page/icon.svg"
SETTINGS = """\
# Settings

The file `config.yaml` with every setting, its default, its unit and its range. `realtime-bg config
init` writes it into your configuration folder. [Recipes](recipes.md) has short files for common
wishes.

```yaml
{text}```
"""
LINK = re.compile(r"(\]\(|^\[[^\]\n]+\]: )([^)\s#]+)(#[^)\s]*)?", re.MULTILINE)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the site is written; it is replaced")
    folder = parser.parse_args(arguments).folder
    if find_spec("zensical") is None:
        sys.exit('zensical is missing; run: pip install -e ".[docs]"')
    if folder.exists() and any(folder.iterdir()) and not (folder / "sitemap.xml").is_file():
        sys.exit(f"{folder} holds something else than a site; give another folder")
    with tempfile.TemporaryDirectory() as work:
        prepare(Path(work))
        build = [sys.executable, "-m", "zensical", "build", "--strict"]
        done = subprocess.run(build, cwd=work, check=False)
        if done.returncode == 0:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.move(Path(work) / "site", folder)
    return done.returncode


def prepare(work: Path) -> None:
    """Write the configuration, and the pages with their links as they must be on the site."""
    shutil.copy(ROOT / "mkdocs.yml", work)
    shutil.copytree(ROOT / "docs", work / "docs")
    shutil.copy(ROOT / ICON, work / "docs")
    for path in (work / "docs").rglob("*.md"):
        name = path.relative_to(work).as_posix()
        path.write_text(rewritten(path.read_text(encoding="utf-8"), name), encoding="utf-8")
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        if source == "config.yaml":
            text = SETTINGS.format(text=text)
        else:
            text = rewritten(text, source, page)
        (work / "docs" / page).write_text(text, encoding="utf-8")


def rewritten(text: str, source: str, page: str = "") -> str:
    """The Markdown ``text`` of the file ``source``, a path in the repository, with its links as
    they must be on ``page`` of the site (by default the page of the same name). A link to what does
    not exist is left as it is, and refused later."""
    folder = PurePosixPath(page or source.removeprefix("docs/")).parent

    def link(found: re.Match[str]) -> str:
        before, target, anchor = found[1], found[2], found[3] or ""
        if ":" in target:
            return found[0]
        path = os.path.normpath(PurePosixPath(source).parent / target).replace(os.sep, "/")
        if path in PAGES or path.startswith("docs/"):
            there = os.path.relpath(PAGES.get(path, path.removeprefix("docs/")), folder)
            return f"{before}{there.replace(os.sep, '/')}{anchor}"
        if not (ROOT / path).exists():
            return found[0]
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f"{before}{REPOSITORY}/{kind}/main/{path}{anchor}"

    return LINK.sub(link, text)


if __name__ == "__main__":
    sys.exit(main())
