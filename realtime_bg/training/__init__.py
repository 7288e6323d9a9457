"""Training networks on your own photos: what `scripts/train_*.py` share.

`loop.py` runs a `Task`: a network, two datasets, a loss, a score. `segmentation.py` and
`inpainting.py` make tasks; `datasets.py` reads photos, `augment.py` varies them, `export.py` writes
the ONNX file that engines take.
"""
