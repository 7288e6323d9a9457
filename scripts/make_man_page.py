"""Write the manual page from the command line's help texts.

python scripts/make_man_page.py packaging/realtime-bg.1
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from realtime_bg.cli.program import app
from realtime_bg.settings.shortcuts import HELP
from realtime_bg.system.files import write_whole
from realtime_bg.version import __version__

ENDING = r"""
.SH ENVIRONMENT
.TP
.B REALTIME_BG_SECTION__KEY
A setting, for example REALTIME_BG_ENGINE__DEVICE=cpu. It overrides a file given with \-\-config;
options override it.
.TP
.B REALTIME_BG_MODELS
Folders that are searched first for model files.
.SH FILES
.TP
.I ~/.cache/realtime\-bg
Downloaded and exported models (Linux; on macOS in ~/Library/Caches, on Windows in %LOCALAPPDATA%).
.SH EXIT STATUS
.TP
.B 0
Success, or stopped by the user.
.TP
.B 1
.B doctor
found a fault; some of several photos failed; the daemon failed too often; otherwise a bug in the
program.
.TP
.B 2
The request cannot be fulfilled; one line says why and what to do.
.TP
.B 130
Interrupted before completion. The same
.B image
or
.B video
command continues from there.
.SH EXAMPLES
.nf
realtime\-bg \-\-background beach.jpg
realtime\-bg \-b office \-o window \-o virtualcam
realtime\-bg image me.jpg \-o cut\-out.png
realtime\-bg doctor \-o virtualcam
.fi
"""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    write_whole(parser.parse_args(arguments).output, page().encode())


def page() -> str:
    """Return the manual page, as roff."""
    program: Any = typer.main.get_command(app)
    run = program.commands["run"]
    lines = [
        '.\\" Made by scripts/make_man_page.py; edit the help in realtime_bg/cli/ instead.',
        f'.TH REALTIME\\-BG 1 "" "realtime\\-bg {__version__}" "User Commands"',
        ".SH NAME",
        f"realtime\\-bg \\- {text(program.help.partition(': ')[0].lower())}",
        ".SH SYNOPSIS",
        ".B realtime\\-bg",
        "[\\fICOMMAND\\fR] [\\fIOPTIONS\\fR]",
        ".SH DESCRIPTION",
        text(program.help),
        "Without a command,",
        ".B run",
        "is meant.",
        ".SH OPTIONS OF RUN",
        *_options(run),
        ".SH COMMANDS",
    ]
    for name, command in _commands(program):
        if command is not run:
            lines += [f".SS {text(name)}{_arguments(command)}", *_paragraphs(command.help)]
            lines += _options(command)
    lines += [".SH KEYS IN THE PREVIEW WINDOW"]
    for keys, does in HELP:
        lines += [".TP", f".B {text(keys)}", text(does)]
    return "\n".join(lines) + ENDING


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _options(command: Any) -> Iterator[str]:
    for option in command.params:
        if _is_argument(option):
            if option.help:
                yield from (".TP", f"\\fI{text(_word(option))}\\fR", text(option.help))
        elif not option.hidden:
            names = [*sorted(option.opts, key=len), *option.secondary_opts]
            value = "" if option.is_flag or option.count else f" \\fI{text(_word(option))}\\fR"
            listed = ", ".join(f"\\fB{text(name)}\\fR" for name in names)
            yield from (".TP", f"{listed}{value}", f"{text(option.help or '')}{_default(option)}")


def _arguments(command: Any) -> str:
    words = [_word(one) for one in command.params if _is_argument(one)]
    return "".join(f" \\fI{text(word)}\\fR" for word in words)


def _is_argument(parameter: Any) -> bool:
    return not any(name.startswith("-") for name in parameter.opts)


def _word(parameter: Any) -> str:
    return parameter.metavar or parameter.name.upper().replace("_", "-")


def _default(option: Any) -> str:
    shown = option.show_default if isinstance(option.show_default, str) else option.default
    if shown is True:
        shown = option.opts[0].lstrip("-")
    if shown is None or shown is False or callable(shown) or shown in ("", (), []):
        return ""
    return f" Default: {text(str(shown))}."


def _paragraphs(words: str | None) -> Iterator[str]:
    for index, paragraph in enumerate((words or "").split("\n\n")):
        if index:
            yield ".PP"
        yield text(paragraph)


def text(words: str) -> str:
    """Escape plain text as one line of roff."""
    line = re.sub(r"\s+", " ", words).strip().replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{line}" if line[:1] in (".", "'") else line


if __name__ == "__main__":
    main()
