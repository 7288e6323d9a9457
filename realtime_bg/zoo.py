"""Finds, downloads and verifies the model files that models/models.yaml lists."""

import hashlib
import logging
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs
import yaml
from pydantic import BaseModel, ConfigDict

from realtime_bg.errors import ModelError, reason
from realtime_bg.settings import EngineSettings, NetworkSettings

log = logging.getLogger(__name__)

FOLDERS_VARIABLE = "REALTIME_BG_MODELS"
CONNECT_SECONDS = 3.0  # time to connect to a host before it counts as unreachable
READ_SECONDS = 15.0
CHUNK = 2**16
WEIGHT_SUFFIXES = (".onnx", ".pth", ".pt", ".safetensors")


class Model(BaseModel):
    """One row of models.yaml; see the comments there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    engine: str
    file: str
    url: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    licence: str
    card: str
    network: NetworkSettings = NetworkSettings()


@cache
def packaged() -> Path:
    """Return the folder of models.yaml and of the embedded model: inside an installed package, or
    beside the package in a checkout.

    Another distribution's ``models`` in site-packages is never used, because only a folder beside
    this project's pyproject.toml counts as a checkout.
    """
    package = Path(__file__).parent
    inside, beside = package / "models", package.parent / "models"
    is_checkout = (package.parent / "pyproject.toml").is_file()
    return beside if is_checkout and not (inside / "models.yaml").is_file() else inside


@cache
def models() -> dict[str, Model]:
    """Return all rows by name, in the file's order."""
    text = (packaged() / "models.yaml").read_text(encoding="utf-8")
    return {name: Model(name=name, **row) for name, row in yaml.safe_load(text).items()}


def row(name: str) -> Model:
    """Return the row called ``name``; raises ModelError with the known names."""
    if name not in models():
        raise ModelError(
            f"unknown model {name!r}, and no such file; `realtime-bg models list` lists: "
            f"{', '.join(models())}"
        )
    return models()[name]


def cache_folder() -> Path:
    """Return this user's folder for downloaded and exported files."""
    return Path(platformdirs.user_cache_dir("realtime-bg", appauthor=False))


def folders() -> list[Path]:
    """Return the folders that are searched for weights, in order; the package's folder is the
    last."""
    named = [Path(part) for part in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if part]
    return [*named, cache_folder(), packaged()]


def find(model: Model) -> Path | None:
    """Return a row's file in the first folder that contains it, or None."""
    return next(_found(model), None)


def _found(model: Model) -> Iterator[Path]:
    for folder in folders():
        path = folder / model.file
        if path.is_file():
            yield path


def resolve(
    engine: str, settings: EngineSettings, suffixes: tuple[str, ...] = WEIGHT_SUFFIXES
) -> Path:
    """Return the weights an engine should load: ``settings.model`` (a path or a row's name),
    otherwise the first of the engine's rows found in a folder, otherwise its preferred row,
    downloaded.

    Only files with one of ``suffixes`` count. Raises ModelError if there is none and the network is
    off or unreachable.
    """
    if settings.model is not None:
        return _chosen(engine, settings.model, settings.offline, suffixes)
    rows = [
        model
        for model in models().values()
        if model.engine == engine and model.file.endswith(suffixes)
    ]
    damaged: ModelError | None = None
    for folder in folders():
        for model in rows:
            path = folder / model.file
            try:
                if path.is_file():
                    return checked_size(path, model)
            except ModelError as error:  # another folder may have an undamaged one
                damaged = damaged or error
    if damaged is not None:
        raise damaged
    if not rows:
        raise ModelError(f"engine {engine!r} has no model in the list; give one with --model PATH")
    return fetch(rows[0], settings.offline)


def _chosen(engine: str, given: Path, offline: bool, suffixes: tuple[str, ...]) -> Path:
    if given.is_file():
        if given.suffix.lower() not in suffixes:
            raise ModelError(f"{given}: --model for this engine takes {', '.join(suffixes)} files")
        return given
    model = row(str(given))
    if model.engine != engine:
        raise ModelError(f"model {model.name!r} belongs to --engine {model.engine}, not {engine}")
    if not model.file.endswith(suffixes):
        fit = [
            one.name
            for one in models().values()
            if one.engine == engine and one.file.endswith(suffixes)
        ]
        raise ModelError(
            f"model {model.name!r} is not a {' or '.join(suffixes)} file, which this "
            f"engine needs; use {' or '.join(fit)}"
        )
    path = find(model)
    return checked_size(path, model) if path else fetch(model, offline)


def check_named(model: Path) -> None:
    """Raise ModelError unless ``model`` is a file or the name of a row."""
    if not model.is_file():
        row(str(model))


def checked_size(path: Path, model: Model) -> Path:
    """Return ``path`` if its size matches the row; raises ModelError for a damaged file."""
    size = path.stat().st_size
    if model.bytes is not None and size != model.bytes:
        raise ModelError(
            f"{path} is damaged ({size} bytes instead of {model.bytes}); delete it and run: "
            f"realtime-bg models fetch {model.name}"
        )
    return path


def network_of(path: Path) -> NetworkSettings:
    """Return how to feed and read the network in ``path``: from a YAML file of the same name beside
    it, or the row of models.yaml with its file name; the defaults if there is neither.

    The YAML file has the keys of a row, of which only ``network`` is read. Raises ModelError.
    """
    beside = path.with_suffix(".yaml")
    if beside.is_file():
        try:
            values = yaml.safe_load(beside.read_text(encoding="utf-8"))
            return NetworkSettings.model_validate(values.get("network", {}))
        except (OSError, ValueError, AttributeError, yaml.YAMLError) as error:
            raise ModelError(
                f"{beside}: not a description of a network ({reason(error)})"
            ) from None
    rows = [model.network for model in models().values() if model.file == path.name]
    return rows[0] if rows else NetworkSettings()


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(
    model: Model, offline: bool = False, folder: Path | None = None, force: bool = False
) -> Path:
    """Download a row's file into the user cache (or ``folder``), verified and complete or not at
    all; a log message states the file, its source and its licence.

    An existing correct file is kept, unless ``force``. Raises ModelError.
    """
    folder = folder or cache_folder()
    target = folder / model.file
    if not force and target.is_file() and model.sha256 in (None, digest(target)):
        return target
    if model.url is None:
        if (here := find(model)) is not None:
            return here
        raise ModelError(
            f"{model.file} has no download address; put it into one of: "
            f"{', '.join(str(folder) for folder in folders()[:-1])}"
        )
    if offline:
        raise ModelError(
            f"{model.file} is not installed and the network is off (--offline); run once with "
            f"network: realtime-bg models fetch {model.name}"
        )
    problem = unreachable(model.url)
    if problem:
        raise ModelError(
            f"{model.file} is not installed and {problem}; connect once, or put the file into "
            f"{cache_folder()}"
        )
    size = f"{model.bytes / 1e6:.0f} MB, " if model.bytes else ""
    log.warning(
        "fetching %s (%slicence of the weights: %s) from %s",
        model.file,
        size,
        model.licence,
        model.url,
    )
    return _download(model, target)


def _download(model: Model, target: Path) -> Path:
    import pooch  # imports requests, which is slow and only needed here
    import requests

    pooch.get_logger().setLevel("ERROR")  # `fetch` has logged the download
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside the target, so that the existing file stays until the new one is verified.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as beside:
            known = f"sha256:{model.sha256}" if model.sha256 else None
            path = pooch.retrieve(model.url, known, model.file, beside, downloader=_stream)
            checked_size(Path(path), model)
            Path(path).replace(target)
    except (requests.RequestException, OSError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{model.url}: download failed ({reason(error)}); try again") from None
    except ValueError:  # pooch raises it if the hash differs
        raise ModelError(
            f"{model.url}: the download is not the expected file (SHA-256 differs) and was "
            f"deleted; try again, or put {model.file} into {target.parent} yourself"
        ) from None
    return target


def _stream(url: str, output: str, _: object) -> None:
    """Download ``url`` to the file ``output``, with a progress bar on a terminal.

    pooch's downloader leaves the connection open when it fails.
    """
    import requests
    from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

    from realtime_bg.system.console import err

    columns = (*Progress.get_default_columns()[:2], DownloadColumn(), TransferSpeedColumn())
    with (
        requests.get(url, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as response,
        Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar,
        open(output, "wb") as file,
    ):
        response.raise_for_status()
        length = int(response.headers.get("content-length", 0)) or None
        task = bar.add_task(Path(url).name, total=length)
        for chunk in response.iter_content(CHUNK):
            file.write(chunk)
            bar.advance(task, len(chunk))


def unreachable(url: str) -> str:
    """Return why the host (or its proxy) cannot be reached, or an empty string.

    It connects on a separate thread, because without a network the resolver may hang far longer
    than any socket timeout.
    """
    from requests.utils import get_environ_proxies, select_proxy

    proxy = select_proxy(url, get_environ_proxies(url))
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"
    target = urlsplit(proxy or url)
    host, failure = target.hostname or "", [f"no answer within {CONNECT_SECONDS:.0f} s"]

    def connect() -> None:
        try:
            port = target.port or (443 if target.scheme == "https" else 80)
            socket.create_connection((host, port), CONNECT_SECONDS).close()
            failure.clear()
        except OSError as error:
            failure[0] = reason(error)

    thread = threading.Thread(target=connect, name="reach", daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS)
    return f"{host} cannot be reached ({failure[0]})" if failure else ""
