"""The command `setup`: parsing; the questions are in `wizard.py`."""

from pathlib import Path
from typing import Annotated

import typer


def setup(
    config: Annotated[
        Path | None,
        typer.Option(
            show_default="in your configuration folder", help="The file to write or to change."
        ),
    ] = None,
) -> None:
    """Ask three questions, try out the answers, and write them to a config.yaml.

    Other settings and comments in the file are kept. Ctrl-C changes nothing.
    """
    from realtime_bg.cli import wizard
    from realtime_bg.settings import at_home, default_config
    from realtime_bg.system.console import show_logs

    show_logs(False)
    wizard.setup(at_home(config).absolute() if config else default_config())
