"""Opens the page in the user's browser, without holding up the server."""

import os
import threading
import webbrowser

from realtime_bg.system.console import say


def open_page(address: str) -> None:
    """Open ``address`` in the default browser. If that is impossible, say so in one line."""
    threading.Thread(target=_open, args=(address,), name="browser", daemon=True).start()


def _open(address: str) -> None:
    try:
        browser = webbrowser.get()
        # One in the terminal would take its keys, and cannot run the page.
        graphical = "BROWSER" in os.environ or type(browser) is not webbrowser.GenericBrowser
        opened = graphical and browser.open(address)
    except (webbrowser.Error, OSError):
        opened = False
    if not opened:
        say("no browser could be opened here; open the address yourself", "yellow")
