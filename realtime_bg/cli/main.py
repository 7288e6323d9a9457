"""The entry point: registers the commands, and turns errors into one line and an exit code."""

import io
import logging
import os
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from realtime_bg.cli import (
    bench,
    completion,
    config,
    daemon,
    devices,
    doctor,
    files,
    models,
    run,
    serve,
    setup,
    top,
    tray,
    video,
)
from realtime_bg.cli.options import Version
from realtime_bg.errors import RealtimeBgError, SettingsError, reason
from realtime_bg.system.console import say


class _DefaultRun(TyperGroup):
    """``realtime-bg --background x`` means ``realtime-bg run --background x``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own = ("--help", "-h", "--version", "--install-completion", "--show-completion")
        completing = ctx.resilient_parsing and not args  # only the last word has been typed so far
        if not completing and (not args or args[0] not in (*self.commands, *own)):
            if args and not args[0].startswith("-") and not ctx.resilient_parsing:
                raise SettingsError(_unknown_command(args[0], list(self.commands)))
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Complete the commands and also the options of ``run``, whose name may be omitted."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            run = self.commands["run"]
            with run.make_context("run", [], parent=ctx, resilient_parsing=True) as inner:
                known = {item.value for item in found}
                found += [
                    item
                    for item in run.shell_complete(inner, incomplete)
                    if item.value not in known
                ]
        return found

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the commands, and the options of the default command."""
        super().format_help(ctx, formatter)
        run = self.commands["run"]
        with run.make_context("run", [], parent=ctx, resilient_parsing=True) as inner:
            run.format_help(inner, formatter)


app = typer.Typer(
    cls=_DefaultRun,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root(version: Version = False) -> None:
    """Replace the background of your webcam in real time: in a window, a virtual camera or a
    file."""


app.command()(run.run)
app.command()(files.image)
app.command()(video.video)
app.command()(doctor.doctor)
app.command()(setup.setup)
app.command()(top.top)
app.command()(daemon.daemon)
app.command()(tray.tray)
app.add_typer(daemon.ctl, name="ctl")
app.command("install-service")(daemon.install_service)
app.command()(serve.serve)
app.command()(bench.bench)
app.command()(devices.devices)
app.add_typer(models.models_app, name="models")
app.add_typer(config.config_app, name="config")


def _unknown_command(word: str, commands: list[str]) -> str:
    """What to say of a first word that is no command."""
    if word in completion.backgrounds("") or Path(word).is_file():
        return f"there is no command {word!r}; did you mean --background {word}?"
    if near := get_close_matches(word, commands, n=1):
        return f"there is no command {word!r}; did you mean {near[0]!r}?"
    return f"there is no command {word!r}; choose one of: {', '.join(commands)}"


def main() -> None:
    """The console script: any error that the user can fix becomes one line and exit code 2."""
    # OpenCV would print its own warnings and errors beside our one line.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files in any encoding, as they are
        sys.stdout.reconfigure(errors="surrogateescape")
    usage_error: Any = typer.BadParameter.__mro__[1]  # typer does not export this class
    try:
        code = app(standalone_mode=False)
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
        say(f"{type(error).__name__}: {error} (details: --verbose)", "red")
        code = 1
    sys.exit(code or 0)


def _refused(problem: str) -> int:
    say(problem, "red")
    return 2
