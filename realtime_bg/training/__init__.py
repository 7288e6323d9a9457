"""Training networks on your own photos: the code shared by `scripts/train_*.py`.

`loop.py` runs a `Task`: a network, two datasets, a loss and scores. `segmentation.py` and
`inpainting.py` make tasks; `datasets.py` reads photos, `augment.py` augments them, `export.py`
writes the ONNX file that engines load.
"""
