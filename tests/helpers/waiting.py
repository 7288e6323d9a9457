"""Waits for another thread or process, with a time limit."""

import time

PATIENCE = 90.0  # seconds; far more than a loaded machine needs, far less than a test's limit
PROMPT = 5.0  # seconds: "at once" on a loaded machine; what would be waited for otherwise is longer


def until(condition, what="it did not happen in time", *, timeout=PATIENCE):
    """Return the first true result of ``condition()``; fail after ``timeout`` seconds.

    ``what`` is the error's text; it may be a function, which is called only then.
    """
    end, pause = time.monotonic() + timeout, 0.002
    while not (answer := condition()):
        if time.monotonic() > end:
            raise AssertionError(what() if callable(what) else what)
        time.sleep(pause)
        pause = min(1.5 * pause, 0.03)  # long waits poll less often
    return answer
