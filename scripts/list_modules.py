"""List the package's modules with the first sentence of their docstrings, room by room.

python scripts/list_modules.py docs/modules.md
"""

import argparse
import ast
import importlib.util
from pathlib import Path

from realtime_bg.system.files import write_whole

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "realtime_bg"
HEAD = """\
# Modules

Every file of the package with the first sentence of its docstring, from the top room to the bottom.
Made by `python scripts/list_modules.py docs/modules.md`; a test fails when it is out of date.
[architecture.md](architecture.md) explains the rooms.
"""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    write_whole(parser.parse_args(arguments).output, listed().encode())


def listed() -> str:
    """Return the page, as Markdown."""
    parts = [HEAD]
    for layer in _layers():
        for room in layer:
            parts.append(f"\n## {room}\n\n| file | what it is |\n|---|---|\n")
            for path in _files(room):
                name = path.relative_to(PACKAGE).as_posix()
                parts.append(f"| `{name}` | {_first_sentence(path)} |\n")
    return "".join(parts)


def _layers() -> tuple[tuple[str, ...], ...]:
    """Return the layers of the contract in pyproject.toml, read as for the drawing of the rooms."""
    spec = importlib.util.spec_from_file_location("draw_rooms", ROOT / "scripts/draw_rooms.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    layers: tuple[tuple[str, ...], ...] = loaded.layers()
    return layers


def _files(room: str) -> list[Path]:
    folder = PACKAGE / room
    if not folder.is_dir():
        return [PACKAGE / f"{room}.py"]
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def _first_sentence(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return paragraph.replace("|", "\\|")


if __name__ == "__main__":
    main()
