"""Hooks of MkDocs (mkdocs.yml): pages from outside docs/, and links that lead out of it.

The files of docs/ link to the rest of the repository by relative paths, which work on GitHub and in
a clone. The site has some of these files as pages of its own; links to all others go to GitHub. A
link to what does not exist is left alone, and `mkdocs build --strict` refuses it.
"""

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://github.com/realtime-bg/realtime-bg"
PAGES = {  # of the site, by their files in the repository
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "config.yaml": "settings.md",
    "models/README.md": "model-card.md",
}
ICON = "realtime_bg/web/page/icon.svg"
SETTINGS = """\
# Settings

The file `config.yaml` with every setting, its default, its unit and its range. `realtime-bg config init`
writes it into your configuration folder; [recipes](recipes.md) has short ones for common wishes.

```yaml
{text}```
"""
LINK = re.compile(r"(\]\(|^\[[^\]\n]+\]: )([^)\s#]+)(#[^)\s]*)?", re.MULTILINE)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and the icon that are not in docs/."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        if source == "config.yaml":
            text = SETTINGS.format(text=text)
        else:
            text = rewritten(text, PurePosixPath(source), PurePosixPath(page))
        files.append(File.generated(config, page, content=text))
    files.append(File.generated(config, PurePosixPath(ICON).name, abs_src_path=str(ROOT / ICON)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let the links of a page of docs/ lead to the site's pages and to GitHub."""
    uri = page.file.src_uri
    if page.file.generated_by is not None:
        return markdown
    return rewritten(markdown, PurePosixPath("docs", uri), PurePosixPath(uri))


def rewritten(text: str, source: PurePosixPath, page: PurePosixPath) -> str:
    """The Markdown ``text`` of the file ``source``, relative to the repository, with its links as
    they must be on ``page``, relative to the site."""

    def link(found: re.Match[str]) -> str:
        before, target, anchor = found[1], found[2], found[3] or ""
        if ":" in target:
            return found[0]
        path = os.path.normpath(source.parent / target).replace(os.sep, "/")
        inside = path.removeprefix("docs/")
        if inside != path:
            there = os.path.relpath(inside, page.parent)
        elif path in PAGES:
            there = os.path.relpath(PAGES[path], page.parent)
        elif (ROOT / path).exists():
            kind = "tree" if (ROOT / path).is_dir() else "blob"
            there = f"{REPOSITORY}/{kind}/main/{path}"
        else:
            there = target
        return f"{before}{there.replace(os.sep, '/')}{anchor}"

    return LINK.sub(link, text)
