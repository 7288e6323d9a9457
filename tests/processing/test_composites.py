"""The privacy promise in the source itself: one module makes composites, others get them."""

import ast
from pathlib import Path

import realtime_bg

PACKAGE = Path(realtime_bg.__file__).parent
# The contract tests feed sinks with pictures of their own.
MAKERS = {"processing/compositor.py", "testing.py"}


def calls(name):
    """The files of the package that call something of this name."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = getattr(node, "func", None)
            if name in (getattr(called, "id", None), getattr(called, "attr", None)):
                found.add(path.relative_to(PACKAGE).as_posix())
    return found


def test_only_the_compositor_makes_composites():
    assert calls("Composite") == MAKERS
