"""List every module of the package with its first sentence and its public names, room by room.

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

Every file of the package with the first paragraph of its docstring and its public names,
from the top room to the bottom.
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
            parts.append(f"\n## {room}\n\n| file | what it holds | public names |\n|---|---|---|\n")
            for path in _files(room):
                name = path.relative_to(PACKAGE).as_posix()
                tree = ast.parse(path.read_text(encoding="utf-8"))
                parts.append(f"| `{name}` | {_first_paragraph(tree)} | {_names(tree)} |\n")
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


def _names(tree: ast.Module) -> str:
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    names = [node.name for node in tree.body if isinstance(node, kinds)]
    return ", ".join(f"`{name}`" for name in names if not name.startswith("_"))


def _first_paragraph(tree: ast.Module) -> str:
    text = ast.get_docstring(tree) or ""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return paragraph.replace("|", "\\|")


if __name__ == "__main__":
    main()
