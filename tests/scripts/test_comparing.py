"""What an exported file may differ by: a little more than its network differs from itself."""

import sys

import numpy as np
import pytest
from helpers import ROOT

sys.path.insert(0, str(ROOT / "scripts"))  # as Python does for a script
from _comparing import Tolerance, answers, compare, difference, read_photo

BOXES = np.float32([[10, 20, 30, 40], [50, 60, 70, 80]])
TOLERANCES = {"boxes": Tolerance(0.05, 2.0)}


def check(ours, *theirs):
    compare(["boxes"], [ours], [[answer] for answer in theirs], TOLERANCES, "PyTorch")


def test_a_network_that_repeats_itself_leaves_the_floor(capsys):
    check(BOXES + np.float32(0.04), BOXES, BOXES)
    assert "largest difference 4.00e-02" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="differs from PyTorch; not to be trusted"):
        check(BOXES + np.float32(0.06), BOXES, BOXES)


def test_a_network_that_does_not_may_be_missed_by_a_few_times_as_much():
    check(BOXES + np.float32(1.2), BOXES, BOXES + np.float32(0.32))
    with pytest.raises(SystemExit, match="not to be trusted"):
        check(BOXES + np.float32(1.4), BOXES, BOXES + np.float32(0.32))


@pytest.mark.parametrize("again", [BOXES[::-1], BOXES + 3, BOXES[:1], BOXES * np.nan])
def test_a_picture_in_which_nothing_repeats_itself_decides_nothing(again):
    with pytest.raises(SystemExit, match=r"differs from itself .* give another --photo"):
        check(BOXES, BOXES, again)


@pytest.mark.parametrize("wrong", [BOXES * np.nan, BOXES[:1], np.zeros((0, 4), np.float32)])
def test_what_is_no_number_or_missing_is_not_trusted(wrong):
    with pytest.raises(SystemExit, match=r"not to be trusted|instead of"):
        check(wrong, BOXES, BOXES)


def test_a_pasted_mask_may_have_its_border_a_pixel_further():
    mask = np.zeros((1, 1, 288, 512), np.float32)
    mask[..., 50:250, 100:300] = 1
    further = np.roll(mask, 1, axis=3)
    assert difference(mask, further, mean=False) == 1
    assert difference(mask, further, mean=True) == pytest.approx(2 / 201, abs=1e-3)
    assert difference(mask, np.zeros_like(mask), mean=True) == 1
    assert difference(mask * 0, mask * 0, mean=True) == 0


def test_the_network_is_asked_in_three_ways_and_the_threads_are_put_back():
    torch = pytest.importorskip("torch", reason='needs the extra "torch"')
    before = torch.get_num_threads()
    seen = []

    def module(picture):
        seen.append((torch.get_num_threads(), torch.backends.mkldnn.enabled))
        return picture, picture.sum()

    found = answers(module, torch.ones(1, 3, 4, 4))
    assert seen == [(1, True), (2, True), (1, False)]
    assert torch.get_num_threads() == before
    assert len(found) == 3
    assert all(float(total) == 48 for _, total in found)


def test_a_photo_that_is_none_is_said(tmp_path):
    (tmp_path / "photo.jpg").write_text("no picture")
    with pytest.raises(SystemExit, match=r"photo\.jpg: not a picture"):
        read_photo(tmp_path / "photo.jpg", (64, 48))
