"""Engines by name."""

ENGINES = {
    "rvm": "realtime_bg.engines.rvm_onnx:RvmOnnx",
    "rvm-torch": "realtime_bg.engines.rvm_torch:RvmTorch",
    "grabcut": "realtime_bg.engines.grabcut:GrabCut",
}
