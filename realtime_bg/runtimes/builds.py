"""The packages that contain ONNX Runtime. Each is a build of the same module, so whichever was
installed last has overwritten the files of the others."""

from realtime_bg.installing import add_extra, installed_version, pip

CPU, GPU = "onnxruntime", "onnxruntime-gpu"
ONNXRUNTIME = (CPU, GPU, "onnxruntime-directml", "onnxruntime-openvino")
CUDA = "CUDAExecutionProvider"


def conflict() -> tuple[str, str]:
    """Why the wrong build is in place, and the command that mends it; empty if it is not.

    The base needs the build for CPUs, and the extra cuda brings the one for CUDA as well, which
    also runs on the CPU. It has to be the last of the two.
    """
    import onnxruntime as ort

    here = [name for name in ONNXRUNTIME if installed_version(name)]
    if GPU not in here or len(here) < 2 or CUDA in ort.get_available_providers():
        return "", ""
    others = " and ".join(name for name in here if name != GPU)
    return (
        f"{others} has overwritten {GPU}, so there is no CUDA",
        pip(f"install --force-reinstall --no-deps {GPU}"),
    )


def no_cuda() -> str:
    """Why this ONNX Runtime has no CUDA, and what brings it."""
    problem, fix = conflict()
    if problem:
        return f"{problem} (run: {fix})"
    return f"this onnxruntime is the build for CPUs (run: {add_extra('cuda')})"
