"""Reporting to systemd with the protocol of sd_notify(3), without its library."""

import os
import socket
import time
from contextlib import suppress


class Notify:
    """Does nothing if no service manager is listening."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        own = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = os.environ.get("WATCHDOG_USEC", "") if own else ""
        # Half of the timeout, as systemd's manual recommends.
        self._period = int(microseconds) / 2e6 if microseconds.isdigit() else None
        self._alive_at = float("-inf")
        self._status = ""

    def ready(self) -> None:
        """Start-up is complete."""
        self._send("READY=1")

    def stopping(self) -> None:
        """Shutdown has begun."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Report the current state, for `systemctl status`."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    def alive(self) -> None:
        """Feed the watchdog; may be called as often as convenient."""
        now = time.monotonic()
        if self._period is not None and now - self._alive_at >= self._period:
            self._alive_at = now
            self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._address or not hasattr(socket, "AF_UNIX"):
            return
        address = self._address
        if address.startswith("@"):  # an abstract socket
            address = "\0" + address[1:]
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.connect(address)
            own.send(text.encode())
