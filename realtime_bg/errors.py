"""The errors shown to users; each message names the subject, the cause and the next step."""


def reason(error: Exception) -> str:
    """Return the system's or a library's description of a failure, in one line."""
    text = str(error).split("\n")[0].rstrip(".")
    return getattr(error, "strerror", None) or text or type(error).__name__


class RealtimeBgError(Exception):
    """Base class of all errors that are shown to the user as one line (exit code 2)."""


class SettingsError(RealtimeBgError, ValueError):
    """A setting, flag or configuration file has an invalid value. ``key``: the setting, as
    ``section.key``, if the error is about a single one."""

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class SourceError(RealtimeBgError, OSError):
    """A camera, clip or picture cannot be opened or read."""


class BackgroundError(RealtimeBgError, OSError):
    """A background cannot be opened or read."""


class SinkError(RealtimeBgError, OSError):
    """An output cannot be opened or written."""


class EngineError(RealtimeBgError, RuntimeError):
    """A matting engine cannot be loaded or failed on a frame."""


class ModelError(RealtimeBgError, FileNotFoundError):
    """Weights are missing, damaged or cannot be fetched."""


class MissingPackageError(RealtimeBgError, ImportError):
    """An optional package is needed; the message holds its install command."""


class DataError(RealtimeBgError, ValueError):
    """Photos, masks or annotations for training or evaluation cannot be used."""


class TrainingError(RealtimeBgError, RuntimeError):
    """A training run cannot continue, or its result cannot be trusted."""


class DaemonError(RealtimeBgError, RuntimeError):
    """The daemon cannot run, is not running, or refuses a request."""
