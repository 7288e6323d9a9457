"""Recognising errors of libraries that mean a GPU is out of memory."""

# Messages of PyTorch, CUDA, cuBLAS and ONNX Runtime.
OUT_OF_MEMORY = (
    "outofmemory",
    "out of memory",
    "memoryallocation",
    "alloc_failed",
    "failed to allocate memory",
)


def out_of_memory(error: BaseException | None) -> bool:
    """Whether an error of any of these libraries means that a GPU has no memory left."""
    while error is not None:
        text = f"{type(error).__name__} {error}".lower()
        if any(sign in text for sign in OUT_OF_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False
