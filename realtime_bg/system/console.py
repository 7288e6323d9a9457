"""Output to the user: one console for messages, progress bars and log records."""

import logging
import warnings
from contextlib import AbstractContextManager, suppress
from traceback import format_exception

from rich.console import Console


class _Errors(Console):
    def on_broken_pipe(self) -> None:
        """Replace rich's reaction, which closes standard output and ends the program."""
        raise BrokenPipeError


out = Console()
# Not wrapped: one message stays one line in logs and pipes.
err = _Errors(stderr=True, soft_wrap=True, markup=False, highlight=False)

STYLES = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "red"}


class Lines(logging.Handler):
    """Prints log records as lines that do not break a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + "".join(format_exception(*record.exc_info)).rstrip()
        say(text, STYLES.get(record.levelno, ""))


def unheard() -> AbstractContextManager[None]:
    """Return a context that ignores failures to write to standard error (a full disk, a closed pipe
    or terminal)."""
    return suppress(OSError, ValueError)


def say(text: str, style: str = "") -> None:
    """Print one line on standard error."""
    with unheard():
        err.print(f"realtime-bg: {text}", style=style)


def show_logs(verbose: bool) -> None:
    """Show the program's warnings, or with ``verbose`` all log messages."""
    if not verbose:  # Pillow's warnings about a photo's tags
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    logging.basicConfig(level=logging.WARNING, handlers=[Lines()], force=True)
    logging.getLogger("realtime_bg").setLevel(logging.DEBUG if verbose else logging.WARNING)


def show_openings() -> None:
    """Also show the messages about which camera, engine and outputs were opened."""
    logger = logging.getLogger("realtime_bg")
    logger.setLevel(min(logger.level, logging.INFO))
