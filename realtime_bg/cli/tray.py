"""The command `tray`."""

from realtime_bg.cli.options import Verbose
from realtime_bg.errors import MissingPackageError, SettingsError
from realtime_bg.installing import add_extra
from realtime_bg.system.console import show_logs


def tray(verbose: Verbose = False) -> None:
    """Show an icon in the desktop's panel that switches the daemon, its background and the camera
    on and off (Linux)."""
    import sys

    show_logs(verbose)
    if not sys.platform.startswith("linux"):
        raise SettingsError("the tray is for Linux desktops; elsewhere use: realtime-bg ctl")
    try:
        from realtime_bg.tray.tray import run
    except ModuleNotFoundError as missing:
        if missing.name != "dbus_fast":
            raise
        raise MissingPackageError(
            f"the tray needs the package 'dbus-fast'; run: {add_extra('tray')}"
        ) from None
    run()
