"""Waiting for what another thread or process does: one loop, which always ends."""

import time

PATIENCE = 30.0  # seconds; far more than a loaded machine needs, far less than a test may take


def until(condition, what="it did not happen in time", *, timeout=PATIENCE):
    """The first true answer of ``condition()``; it is an error after ``timeout`` seconds.

    ``what`` says then what was waited for; it may be a function, which is asked only then.
    """
    end, pause = time.monotonic() + timeout, 0.002
    while not (answer := condition()):
        if time.monotonic() > end:
            raise AssertionError(what() if callable(what) else what)
        time.sleep(pause)
        pause = min(1.5 * pause, 0.03)  # what takes long is asked less often
    return answer
