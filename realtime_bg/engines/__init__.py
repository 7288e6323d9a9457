"""Engines by name."""

from importlib.util import find_spec

from realtime_bg.engines.base import Engine
from realtime_bg.errors import EngineError
from realtime_bg.frames import Size
from realtime_bg.registry import find_entry, missing_package, open_plugin, with_plugins
from realtime_bg.settings import CombineSettings, EngineSettings
from realtime_bg.stats import Stats

OWN = {
    "rvm": "realtime_bg.engines.rvm_onnx:RvmOnnx",
    "rvm-torch": "realtime_bg.engines.rvm_torch:RvmTorch",
    "embedded": "realtime_bg.engines.embedded:Embedded",
    "instance": "realtime_bg.engines.instance:Instance",
    "semantic": "realtime_bg.engines.semantic:Semantic",
    "grabcut": "realtime_bg.engines.classical.grabcut:GrabCut",
    "chroma": "realtime_bg.engines.classical.chroma:Chroma",
    "plate": "realtime_bg.engines.classical.plate:Plate",
    "motion": "realtime_bg.engines.classical.motion:Motion",
    "kmeans": "realtime_bg.engines.classical.kmeans:KMeans",
    "region": "realtime_bg.engines.classical.region:Region",
    "threshold": "realtime_bg.engines.classical.threshold:Threshold",
    "edges": "realtime_bg.engines.classical.edges:Edges",
}

ENGINES = with_plugins(OWN, "realtime_bg.engines")

OPTIONAL = {"rvm-torch": "torch"}  # engines that need a package from an extra


def installed() -> list[str]:
    """The names of the engines whose packages are installed. Imports none of them."""
    return [name for name in ENGINES if name not in OPTIONAL or find_spec(OPTIONAL[name])]


def check_installed(name: str) -> None:
    """Raise EngineError if there is no such engine, MissingPackageError if its package is not
    installed. Imports no engine."""
    find_entry(ENGINES, name, "engine", EngineError)
    if name not in installed():
        raise missing_package("engine", name, OPTIONAL[name])


def open_engine(
    settings: EngineSettings, size: Size, stats: Stats, work_size: Size | None = None
) -> Engine:
    """The engine called ``settings.name`` (not ``auto``) for frames of ``size``.

    ``work_size`` replaces the one in the settings, except for a second engine. Raises
    RealtimeBgError if the engine is unknown or not installed, if its weights are missing, or if it
    cannot be loaded.
    """
    from realtime_bg.engines.combined import Combined

    own = settings if work_size is None else settings.model_copy(update={"work_size": work_size})
    engine: Engine = open_plugin(ENGINES, settings.name, "engine", EngineError, own, size, stats)
    second = settings.combine
    if second.engine is not None:
        changes = {"name": second.engine, "model": second.model, "combine": CombineSettings()}
        try:
            beside = open_engine(settings.model_copy(update=changes), size, _SecondStats(stats))
        except Exception:
            engine.close()
            raise
        engine = Combined(engine, beside, settings, size, stats)
    return engine


class _SecondStats(Stats):
    """For a second engine: its timings are discarded, but its messages reach the user."""

    def __init__(self, stats: Stats) -> None:
        super().__init__()
        self._stats = stats

    def notice(self, text: str) -> None:
        self._stats.notice(text)
