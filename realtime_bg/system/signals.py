"""Handles signals: requests to stop, to read the configuration again, and to say what the program
is doing. docs/reliability.md has a table of them."""

import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue

STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")
AT_ONCE = 0.2  # seconds for which the interrupted code waits until a signal has had its effect


@contextmanager
def stop_signals(
    stop: Callable[[], None],
    reload: Callable[[], None] | None = None,
    names: Sequence[str] = STOPPING,
) -> Iterator[None]:
    """Call ``stop`` on Ctrl-C, SIGTERM or a closed terminal; a second one ends the program at once.

    ``reload``: called on a SIGHUP that does not come from a closed terminal; None means that every
    SIGHUP stops. Both run on a thread of their own, because a handler interrupts the main thread
    wherever it is, which may be inside a lock that they need. ``names``: the signals to handle.
    SIGHUP stays ignored where it is ignored already, as for programs started with ``nohup``.
    SIGUSR1 prints what each thread is doing, and SIGUSR2 does nothing.

    Must be called on the main thread.
    """
    had_terminal = _has_terminal()
    calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
    done: SimpleQueue[None] = SimpleQueue()

    def deliver() -> None:
        while call := calls.get():
            call()
            done.put(None)

    def hand_over(call: Callable[[], None]) -> None:
        calls.put(call)  # which no signal can bring to a standstill, unlike other queues
        with suppress(Empty):
            done.get(timeout=AT_ONCE)

    def first(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        hand_over(stop)

    def hung_up(number: int, frame: object) -> None:
        if reload is None or (had_terminal and not _has_terminal()):
            first(number, frame)
        else:
            hand_over(reload)

    thread = threading.Thread(target=deliver, name="signals", daemon=True)
    thread.start()

    hang_up = getattr(signal, "SIGHUP", None)
    before = [
        (number, signal.signal(number, hung_up if number == hang_up else first))
        for number in handled(names)
    ]
    if hasattr(signal, "SIGUSR2"):
        before.append((signal.SIGUSR2, signal.signal(signal.SIGUSR2, signal.SIG_IGN)))
    try:
        with _stacks_on_request():
            yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
        calls.put(None)
        thread.join()


def handled(names: Sequence[str]) -> list[signal.Signals]:
    """The signals with these names that this system has, without a SIGHUP that is ignored, as for
    programs started with ``nohup``."""
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    hang_up = getattr(signal, "SIGHUP", None)
    return [n for n in numbers if n != hang_up or signal.getsignal(n) != signal.SIG_IGN]


def _has_terminal() -> bool:
    """Whether the process has a controlling terminal that is still open."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True


@contextmanager
def _stacks_on_request() -> Iterator[None]:
    """On SIGUSR1, print the stack of each thread to stderr, even if the program hangs."""
    number = getattr(signal, "SIGUSR1", None)
    if number is None:  # Windows
        yield
        return
    before = signal.signal(number, signal.SIG_IGN)  # without stderr it must not end the program
    with suppress(AttributeError, OSError, RuntimeError, ValueError):
        faulthandler.register(number, sys.__stderr__, all_threads=True)  # type: ignore[arg-type]
    try:
        yield
    finally:
        faulthandler.unregister(number)
        signal.signal(number, before)
