"""The version, and what has to be set before any library is imported."""

import os

# ONNX Runtime (from 1.29 on) tells its makers which networks are run. We send nothing to anybody;
# it has to know before it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
