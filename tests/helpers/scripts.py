"""Runs a script of the repository inside the test's process."""

import importlib.util
from functools import cache

from helpers import ROOT


@cache
def module(name):
    """Import ``scripts/NAME.py`` as a module; its `main` takes a list of arguments."""
    spec = importlib.util.spec_from_file_location(f"script_{name}", ROOT / f"scripts/{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def run(name, *arguments):
    """Run a script and return its exit code."""
    return module(name).main([str(argument) for argument in arguments])
