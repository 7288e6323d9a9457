"""The interface through which the page controls a live picture, whether the server or the daemon
runs it."""

from typing import Any, Protocol

from realtime_bg.settings.live import Live
from realtime_bg.sinks.web import Channel
from realtime_bg.stats import Stats


class LivePicture(Protocol):
    """A pipeline that can be started, stopped, watched and controlled from any thread."""

    @property
    def live(self) -> Live:
        """Its settings, which survive a stop."""

    @property
    def stats(self) -> Stats:
        """Its statistics since the last start."""

    @property
    def channel(self) -> Channel:
        """The channel that receives its composites."""

    @property
    def problem(self) -> str:
        """Why it ended unexpectedly, or an empty string."""

    @property
    def running(self) -> bool:
        """Whether the camera is in use or about to be."""

    @property
    def starts(self) -> int:
        """How often it has been started."""

    @property
    def has_viewers(self) -> bool:
        """Whether any of its outputs has a viewer."""

    def start(self) -> None:
        """Start the camera. Raises Refusal if that is not possible."""

    def stop(self) -> None:
        """Release the camera."""

    def close(self) -> None:
        """Stop and release everything. Idempotent."""

    def report(self) -> dict[str, Any]:
        """See `live.report.reported`."""
