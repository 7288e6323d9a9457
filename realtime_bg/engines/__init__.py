"""Engines by name."""

ENGINES = {
    "rvm": "realtime_bg.engines.rvm_onnx:RvmOnnx",
    "rvm-torch": "realtime_bg.engines.rvm_torch:RvmTorch",
    "instance": "realtime_bg.engines.instance:Instance",
    "semantic": "realtime_bg.engines.semantic:Semantic",
    "grabcut": "realtime_bg.engines.grabcut:GrabCut",
}
