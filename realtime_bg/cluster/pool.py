"""The only file that uses Ray: connects to a cluster, and hires, asks and dismisses workers."""

import logging
import os
import signal
import threading
from pathlib import Path
from typing import Any

from realtime_bg.cluster.worker import Worker
from realtime_bg.errors import MissingPackageError, SettingsError, reason
from realtime_bg.installing import add_extra

MOST_CALLS = 4  # of one worker at a time: the unit, and questions about it


class Lost(Exception):  # noqa: N818 - it says what happened to a worker
    """A worker has died, or its node has."""


class OutOfMemory(Lost):
    """A worker was ended because its node was short of memory."""


class Pool:
    """A connection to a cluster. Used by several threads."""

    def __init__(
        self, address: str, workers: int | None, cpus: float | None, gpus: float | None, cuda: bool
    ) -> None:
        """``address``: ``auto``, ``local`` or ``ray://HOST:PORT``. ``workers``: None for as many as
        the cluster has room for. ``cpus`` and ``gpus``: for each worker; None for 1, and for 1 GPU
        if the cluster has any and ``cuda`` says that the settings may use them. Raises
        SettingsError and MissingPackageError."""
        if address.startswith("ray://") and _has_token():
            # Ray's client does not look for the token by itself, and waits in vain without
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        self._ray = ray = _ray()
        options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        if address == "local":
            options |= {"include_dashboard": False}
        before = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(address=address, **options)
        except ConnectionError:
            how = "start one with `ray start --head`, or give --cluster local"
            if address.startswith("ray://"):
                how += "; one that asks for a token wants RAY_AUTH_TOKEN"
            raise SettingsError(f"--cluster {address}: no cluster answers; {how}") from None
        except (RuntimeError, ValueError, OSError) as error:
            raise SettingsError(f"--cluster {address}: {reason(error)}") from None
        finally:
            # Ray's own handler would end the program at once.
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, before)
        has = ray.cluster_resources()
        if gpus is None:
            gpus = 1.0 if cuda and has.get("GPU") else 0.0
        self.cpus, self.gpus = 1.0 if cpus is None else cpus, gpus
        room = [has.get("CPU", 0) / self.cpus] if self.cpus else []
        room += [has.get("GPU", 0) / gpus] if gpus else []
        most = int(min(room)) if room else 1
        if workers is None and most < 1:
            self.close()
            raise SettingsError(
                f"--cluster {address}: it has {has.get('CPU', 0):g} CPUs and "
                f"{has.get('GPU', 0):g} GPUs, and a worker needs {self.cpus:g} and {gpus:g}; "
                "change --cpus-per-worker or --gpus-per-worker, or give --workers if it grows"
            )
        self.workers = most if workers is None else workers

    def hire(self) -> Any:
        """A new worker, which starts when there is room for it."""
        actor = self._ray.remote(
            num_cpus=self.cpus, num_gpus=self.gpus, max_restarts=0, max_concurrency=MOST_CALLS
        )(Worker)
        return actor.remote(max(1, int(self.cpus)))

    def ask(self, worker: Any, method: str, *arguments: Any) -> Any:
        """Begin a call of a worker; returns a reference to its answer."""
        return getattr(worker, method).remote(*arguments)

    def answered(self, reference: Any, seconds: float) -> bool:
        """Wait for an answer, or for the death of its worker, at most ``seconds``."""
        ready, _ = self._ray.wait([reference], timeout=seconds)
        return bool(ready)

    def answer(self, reference: Any) -> Any:
        """The answer, for which it waits. Raises Lost or OutOfMemory."""
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.OutOfMemoryError as error:
            raise OutOfMemory(reason(error)) from None
        except (
            errors.RayActorError,
            errors.ObjectLostError,
            errors.WorkerCrashedError,
        ) as error:
            raise Lost(reason(error)) from None
        except errors.RayTaskError as error:
            raise Lost(reason(error.cause or error)) from None

    def put(self, data: bytes) -> Any:
        """Store data in the cluster, from where each node gets it once; returns a reference."""
        return self._ray.put(data)

    def dismiss(self, worker: Any) -> None:
        """End a worker at once, whatever it does."""
        self._ray.kill(worker)

    def close(self) -> None:
        """Leave the cluster; a local one ends. Idempotent."""
        self._ray.shutdown()


def _has_token() -> bool:
    """Whether this user has a token of a cluster, as `ray start` makes it."""
    given = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
    kept = Path.home() / ".ray" / "auth_token"
    return any(os.environ.get(name) for name in given) or kept.is_file()


def _ray() -> Any:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is reported to anybody
    try:
        import ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise MissingPackageError(
            f"--cluster needs the package 'ray'; run: {add_extra('cluster')}"
        ) from None
    return ray
