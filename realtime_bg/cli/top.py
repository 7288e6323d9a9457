"""The command `top`: parsing; the screen is in `top_screen.py`."""

from typing import Annotated

import typer

from realtime_bg.system.console import out

Address = Annotated[
    str | None,
    typer.Argument(
        envvar="REALTIME_BG_ADDRESS",
        show_envvar=False,
        help="The address that `realtime-bg serve` printed, including the token. It can also be in "
        "$REALTIME_BG_ADDRESS, which other users cannot read. The default is your daemon.",
    ),
]


def top(
    address: Address = None,
    once: Annotated[bool, typer.Option("--once", help="Show it once and exit.")] = False,
) -> None:
    """Watch a running realtime-bg: rates, latency, and the time of each stage. Ctrl-C ends it."""
    from realtime_bg.cli.top_screen import reporter, show

    show(reporter(address), out, once)
