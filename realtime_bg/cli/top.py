"""The command `top`: parsing only."""

from typing import Annotated

import typer

from realtime_bg.system.console import out

Address = Annotated[
    str | None,
    typer.Argument(
        envvar="REALTIME_BG_ADDRESS",
        show_envvar=False,
        help="As `realtime-bg serve` printed it, token included, or in $REALTIME_BG_ADDRESS, which "
        "other users cannot read; default: your daemon.",
    ),
]


def top(
    address: Address = None,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
) -> None:
    """Watch a running realtime-bg: rates, latency, and where the time goes. Ctrl-C ends it."""
    from realtime_bg.cli.top_screen import instance, show

    show(instance(address), out, once)
