"""Output to the user: one console for messages, progress bars and log records."""

import logging
import warnings
from contextlib import AbstractContextManager, suppress
from traceback import format_exception

from rich.console import Console


class _Errors(Console):
    def on_broken_pipe(self) -> None:
        """Not rich's own answer, which closes standard output and ends the program."""
        raise BrokenPipeError


out = Console()
# Never wrapped by us: one message stays one line in logs and pipes.
err = _Errors(stderr=True, soft_wrap=True, markup=False, highlight=False)

STYLES = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "red"}


class Lines(logging.Handler):
    """Log records as lines that do not tear a progress bar apart."""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + "".join(format_exception(*record.exc_info)).rstrip()
        say(text, STYLES.get(record.levelno, ""))


def unheard() -> AbstractContextManager[None]:
    """Where standard error cannot be written (a full disk, a pipe or terminal that is gone)
    nothing is said, and all else goes on."""
    return suppress(OSError, ValueError)


def say(text: str, style: str = "") -> None:
    """One line on standard error."""
    with unheard():
        err.print(f"realtime-bg: {text}", style=style)


def show_logs(verbose: bool) -> None:
    """Show warnings of the program, or with ``verbose`` everything it has to say."""
    if not verbose:  # what Pillow thinks of a photo's tags
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    logging.basicConfig(level=logging.WARNING, handlers=[Lines()], force=True)
    logging.getLogger("realtime_bg").setLevel(logging.DEBUG if verbose else logging.WARNING)


def show_openings() -> None:
    """From now on also say which camera, engine and outputs were got, and how."""
    logger = logging.getLogger("realtime_bg")
    logger.setLevel(min(logger.level, logging.INFO))
