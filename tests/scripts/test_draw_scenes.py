"""The built-in backgrounds are what `scripts/draw_scenes.py` draws."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import ROOT

from realtime_bg import backgrounds

sys.path.insert(0, str(ROOT / "scripts"))  # as Python does for a script
import draw_scenes

FOLDER = Path(backgrounds.__file__).parent
SMALL = (1280, 720)
MOST = {"beach": 2.5, "office": 2.5, "studio": 1.0, "gradient": 1.0}  # details differ by the size


@pytest.mark.parametrize("name", draw_scenes.SCENES)
def test_a_scene_of_the_package_is_the_drawn_one(name):
    shipped = cv2.imread(str(FOLDER / f"{name}.webp"))
    assert shipped.shape[1::-1] == draw_scenes.SIZE
    reduced = cv2.resize(shipped, SMALL, interpolation=cv2.INTER_AREA)
    off = np.abs(reduced.astype(np.float32) - draw_scenes.drawn(name, SMALL))
    assert off.mean() < MOST[name], "run: python scripts/draw_scenes.py realtime_bg/backgrounds"


def test_the_script_writes_every_scene(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(draw_scenes, "SIZE", (160, 90))
    assert draw_scenes.main([str(tmp_path)]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"beach.webp", "office.webp", "studio.webp", "gradient.webp"}
    for name in draw_scenes.SCENES:
        read = cv2.imread(str(tmp_path / f"{name}.webp"))
        assert cv2.PSNR(read, draw_scenes.drawn(name, (160, 90))) > 27
    assert capsys.readouterr().out.count(" kB, ") == 4
