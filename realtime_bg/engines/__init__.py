"""Engines by name."""

from importlib.util import find_spec

# Engines that could not be opened in this process: the key for the next engine passes them over.
UNUSABLE: set[str] = set()

ENGINES = {
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

OPTIONAL = {"rvm-torch": "torch"}  # engines that import a package of an extra


def installed() -> list[str]:
    """The names of the engines whose packages are here; imports none of them."""
    return [name for name in ENGINES if name not in OPTIONAL or find_spec(OPTIONAL[name])]
