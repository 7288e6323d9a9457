"""The command `setup`: parsing only."""

from pathlib import Path
from typing import Annotated

import typer


def setup(
    config: Annotated[
        Path | None,
        typer.Option(
            show_default="in your configuration folder", help="The file to write, or to change."
        ),
    ] = None,
) -> None:
    """Ask three questions, try the answers out, and write them down as a config.yaml.

    What the file says besides, comments included, stays. Ctrl-C changes nothing.
    """
    from realtime_bg.cli import wizard
    from realtime_bg.settings import at_home, default_config
    from realtime_bg.system.console import show_logs

    show_logs(False)
    wizard.setup(at_home(config).absolute() if config else default_config())
