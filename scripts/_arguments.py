"""What the command lines of the scripts that make a picture have in common."""

import argparse
from pathlib import Path


def picture_parser(text: str | None) -> argparse.ArgumentParser:
    """A parser for the file of the picture and the engine. ``text``: the script's docstring."""
    parser = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    parser.add_argument("--engine", default="embedded")
    return parser
