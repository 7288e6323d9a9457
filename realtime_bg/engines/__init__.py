"""Engines by name."""

# Engines that could not be opened in this process: the key for the next engine passes them over.
UNUSABLE: set[str] = set()

ENGINES = {
    "rvm": "realtime_bg.engines.rvm_onnx:RvmOnnx",
    "rvm-torch": "realtime_bg.engines.rvm_torch:RvmTorch",
    "instance": "realtime_bg.engines.instance:Instance",
    "semantic": "realtime_bg.engines.semantic:Semantic",
    "grabcut": "realtime_bg.engines.grabcut:GrabCut",
}
