"""The entry point: turns errors into one line and an exit code."""

import io
import logging
import os
import sys
from typing import Any

import typer

from realtime_bg.cli.options import HELP
from realtime_bg.errors import RealtimeBgError, reason


def main() -> None:
    """The console script: any error that the user can fix becomes one line and exit code 2."""
    # OpenCV would print its own warnings and errors beside our one line.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files in any encoding, as they are
        sys.stdout.reconfigure(errors="surrogateescape")
    usage_error: Any = typer.BadParameter.__mro__[1]  # typer does not export this class
    try:
        code = _program()(standalone_mode=False)
    except RealtimeBgError as error:
        code = _refused(str(error))
    except usage_error as error:
        # Empty if a group without a command has shown its help
        problem = error.format_message().rstrip(".")
        path = error.ctx.command_path if getattr(error, "ctx", None) else "realtime-bg"
        code = _refused(f"{problem}; `{path} --help` lists the options") if problem else 2
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except OSError as error:  # for example a name that is too long, or a folder without permission
        logging.getLogger(__name__).debug("unexpected", exc_info=True)
        code = _refused(f"{error.filename or 'input or output'}: {reason(error)}")
    except Exception as error:  # a bug in this program: one line, details with --verbose
        logging.getLogger(__name__).debug("unexpected", exc_info=True)
        code = _ended(f"{type(error).__name__}: {error} (details: --verbose)", 1)
    sys.exit(code or 0)


def _program() -> typer.Typer:
    """All commands, or `ctl` alone, which is to answer a button at once: the others import for a
    second."""
    if sys.argv[1:2] != ["ctl"]:
        from realtime_bg.cli.program import app

        return app
    from realtime_bg.cli.ctl import ctl

    alone = typer.Typer(add_completion=False, context_settings=HELP)
    alone.callback()(lambda: None)
    alone.add_typer(ctl, name="ctl")
    return alone


def _refused(problem: str) -> int:
    return _ended(problem, 2)


def _ended(problem: str, code: int) -> int:
    """Print why the program ends; ``code`` again."""
    from realtime_bg.system.console import say

    say(problem, "red")
    return code
