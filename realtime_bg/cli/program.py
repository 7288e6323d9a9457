"""The program with all its commands."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from realtime_bg.cli import (
    bench,
    completion,
    config,
    ctl,
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
from realtime_bg.cli.options import HELP, Version
from realtime_bg.errors import SettingsError


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
    context_settings=HELP,
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
app.add_typer(ctl.ctl, name="ctl")
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
