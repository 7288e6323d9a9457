"""Detectors with masks: every dialect read alike, and the right instances kept."""

import cv2
import numpy as np
import pytest
from helpers import graphs

from realtime_bg.engines import coco as _coco
from realtime_bg.engines.detections import EDGE, Detections, edged, overlap
from realtime_bg.engines.instance import PATIENCE, Instance
from realtime_bg.errors import EngineError
from realtime_bg.frames import Frame, check_matte
from realtime_bg.settings import EngineSettings, InstanceSettings, NetworkSettings
from realtime_bg.stats import Stats

SIZE = (128, 96)
FRAME = Frame(np.full((96, 128, 3), 128, np.uint8), 0, 0.0)
# A person at the left, a larger one at the right, a chair between, in pixels of the frame.
BOXES = np.float32([[8, 16, 40, 88], [72, 8, 120, 88], [48, 56, 64, 88]])
NAMES = ("person", "person", "chair")
SCORES = np.float32([0.9, 0.8, 0.7])


def inside(box):
    """The exact coverage of each pixel by a box."""
    x = np.clip(np.minimum(np.arange(128) + 1, box[2]) - np.maximum(np.arange(128), box[0]), 0, 1)
    y = np.clip(np.minimum(np.arange(96) + 1, box[3]) - np.maximum(np.arange(96), box[1]), 0, 1)
    return np.outer(y, x).astype(np.float32)


def yolo(boxes=BOXES, scores=SCORES, names=NAMES, objectness=False, classes=80):
    """YOLO-seg's table and prototypes: prototype n is box n's own mask, as logits."""
    table = np.zeros((1, 4 + objectness + classes + 32, 12), np.float32)
    prototypes = np.full((1, 32, 24, 32), -8, np.float32)
    for n, (box, score, name) in enumerate(zip(boxes, scores, names, strict=True)):
        column = table[0, :, n]
        column[:4] = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, *(box[2:] - box[:2])
        if objectness:
            column[4] = 1
        column[4 + objectness + _coco.NAMES.index(name)] = score
        column[4 + objectness + classes + n] = 1
        x1, y1, x2, y2 = (box / 4).astype(int)
        prototypes[0, n, y1:y2, x1:x2] = 8
    return table, prototypes


def dialect(name, path):
    sparse = np.int64([_coco.SPARSE[_coco.NAMES.index(n)] for n in NAMES])
    dense = np.int64([_coco.NAMES.index(n) for n in NAMES])
    small = np.ones((3, 1, 28, 28), np.float32)
    if name == "torchvision":
        masks = np.stack([inside(box) for box in BOXES])[:, None]
        outputs = {"boxes": BOXES, "labels": sparse, "scores": SCORES, "masks": masks}
        return graphs.constant_detector(path, outputs, (1, 3, 96, 128))
    if name == "detectron2":
        outputs = {
            "value": BOXES,
            "value.1": dense,
            "value.2": small,
            "value.3": SCORES,
            "size": np.int64([96, 128]),
        }
        return graphs.constant_detector(path, outputs, (3, 96, 128))
    if name == "mmdet":
        dets = np.concatenate([BOXES, SCORES[:, None]], axis=1)[None]
        outputs = {"dets": dets, "labels": dense[None], "masks": small[:, 0][None]}
        return graphs.constant_detector(path, outputs, (1, 3, 96, 128))
    if name == "panoptic":
        segments = np.zeros((96, 128), np.int64)
        for n, box in enumerate(BOXES.astype(int), start=1):
            segments[box[1] : box[3], box[0] : box[2]] = n
        segments[:4] = 9  # a wall: stuff of class 0 is nobody
        info = np.stack([[1, 2, 3, 9], [*dense, 0], [1, 1, 1, 0]], axis=1)
        outputs = {"panoptic_seg": segments, "segments_info": info.astype(np.int64)}
        return graphs.constant_detector(path, outputs, (3, 96, 128))
    if name == "yolo-end-to-end":
        table = np.zeros((1, 300, 38), np.float32)
        table[0, :3, :4], table[0, :3, 4], table[0, :3, 5] = BOXES, SCORES, dense
        for n in range(3):
            table[0, n, 6 + n] = 1
        outputs = {"output0": table, "output1": yolo()[1]}
        return graphs.constant_detector(path, outputs, (1, 3, 96, 128))
    table, prototypes = yolo(objectness=name == "yolo-v5")
    if name == "yolo-v5":
        table = table.transpose(0, 2, 1)
        table = np.concatenate([table, np.zeros((1, 300, table.shape[2]), np.float32)], axis=1)
    else:
        table = np.concatenate([table, np.zeros((1, table.shape[1], 300), np.float32)], axis=2)
    outputs = {"output0": np.ascontiguousarray(table), "output1": prototypes}
    return graphs.constant_detector(path, outputs, (1, 3, 96, 128))


DIALECTS = (
    "torchvision",
    "detectron2",
    "mmdet",
    "yolo-v8",
    "yolo-v5",
    "yolo-end-to-end",
    "panoptic",
)


def engine(path, **instance):
    settings = EngineSettings(
        name="instance", model=path, device="cpu", instance=InstanceSettings(**instance)
    )
    return Instance(settings, SIZE, Stats())


def iou(alpha, *boxes):
    truth = np.max([inside(box) for box in boxes], axis=0) > 0.5
    found = alpha > 0.5
    return (truth & found).sum() / (truth | found).sum()


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_gives_the_same_people(name, tmp_path):
    matte = check_matte(engine(dialect(name, tmp_path / "net.onnx")).matte(FRAME))
    assert not matte.lost
    assert iou(matte.alpha, *BOXES[:2]) > 0.97


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ({"instances": "largest"}, [1]),
        ({"instances": "centre"}, [1]),
        ({"instances": 2}, [0, 1]),
        ({"classes": ("person", "chair")}, [0, 1, 2]),
        ({"classes": ("chair",)}, [2]),
        ({"score": 0.85}, [0]),
        # the chair overlaps nobody; it goes with whom it is nearest to in the list
        ({"classes": ("chair", "cell phone"), "instances": "largest"}, [2]),
    ],
)
def test_classes_and_instances_are_chosen(name, wanted, kept, tmp_path):
    if name == "panoptic" and "score" in wanted:
        kept = [0, 1]  # a panoptic map has no scores: all are certain
    alpha = engine(dialect(name, tmp_path / "net.onnx"), **wanted).matte(FRAME).alpha
    assert iou(alpha, *BOXES[kept]) > 0.97


@pytest.mark.parametrize(("version", "classes"), [(8, 1), (8, 2), (8, 3), (5, 1), (5, 2)])
def test_a_yolo_of_few_classes_is_no_end_to_end_table(version, classes, tmp_path):
    scores = SCORES + 0.01  # no class number
    table, prototypes = yolo(BOXES, scores, ("person",) * 3, version == 5, classes)
    table = np.concatenate([table, np.zeros((1, table.shape[1], 300), np.float32)], axis=2)
    table = np.ascontiguousarray(table.transpose(0, 2, 1)) if version == 5 else table
    outputs = {"output0": table, "output1": prototypes}
    net = engine(graphs.constant_detector(tmp_path / "net.onnx", outputs, (1, 3, 96, 128)))
    assert iou(net.matte(FRAME).alpha, *BOXES) > 0.97


def test_half_precision_and_a_size_of_its_own(tmp_path):
    table, prototypes = yolo()
    table = np.concatenate([table, np.zeros((1, 116, 300), np.float32)], axis=2)
    outputs = {"output0": table.astype(np.float16), "output1": prototypes.astype(np.float16)}
    path = graphs.constant_detector(tmp_path / "net.onnx", outputs, kind=graphs.HALF)
    settings = EngineSettings(
        name="instance",
        model=path,
        device="cpu",
        work_size=(1280, 960),
        network=NetworkSettings(size=(128, 96)),
    )
    net = Instance(settings, (1280, 960), Stats())
    image = cv2.resize(FRAME.image, (1280, 960))
    assert iou(net.matte(Frame(image, 0, 0.0)).alpha, *BOXES[:2]) > 0.97


def test_nobody_there_is_lost_and_not_a_crash(tmp_path):
    net = engine(dialect("detectron2", tmp_path / "net.onnx"), score=0.99)
    matte = check_matte(net.matte(FRAME))
    assert matte.lost
    assert matte.alpha.max() == 0


def test_no_detections_at_all(tmp_path):
    outputs = {
        "boxes": np.zeros((0, 4), np.float32),
        "labels": np.zeros(0, np.int64),
        "scores": np.zeros(0, np.float32),
        "masks": np.zeros((0, 1, 96, 128), np.float32),
    }
    path = tmp_path / "net.onnx"
    nodes = [graphs.helper.make_node("Identity", [f"{k}_value"], [k]) for k in outputs]
    nodes.append(graphs.helper.make_node("Identity", ["image"], ["echo"]))
    ends = {
        k: (graphs.INT if v.dtype == np.int64 else graphs.FLOAT, ["n", *v.shape[1:]])
        for k, v in outputs.items()
    }
    graphs.save(
        path,
        nodes,
        {"image": (graphs.FLOAT, [1, 3, 96, 128])},
        {**ends, "echo": (graphs.FLOAT, [1, 3, 96, 128])},
        {f"{k}_value": v for k, v in outputs.items()},
    )
    assert engine(path).matte(FRAME).lost


def test_box_masks_are_pasted_with_sub_pixel_alignment():
    """A soft disc of 28x28 cells in a box that starts between two pixels."""
    y, x = np.mgrid[:28, :28] + 0.5
    disc = np.clip((10 - np.hypot(x - 14, y - 14)) * 2 + 0.5, 0, 1).astype(np.float32)
    box = np.float32([[20.3, 10.7, 76.3, 66.7]])  # twice the cells' size
    found = Detections(box, np.int64([0]), np.float32([1]), disc[None])
    pasted = found.paste(0, SIZE)
    rows, columns = np.mgrid[:96, :128] + 0.5
    weight = pasted.sum()
    assert (pasted * columns).sum() / weight == pytest.approx(48.3, abs=0.02)
    assert (pasted * rows).sum() / weight == pytest.approx(38.7, abs=0.02)
    assert weight == pytest.approx(np.pi * 20**2, rel=0.02)


def test_what_a_network_is_unsure_of_is_not_half_transparent(tmp_path):
    """A body of 0.95, a raised arm of 0.6 and a haze of 0.3 in one box, as YOLO's prototypes
    give them."""
    prototypes = np.full((1, 32, 24, 32), np.log(0.3 / 0.7), np.float32)
    prototypes[0, 0, 12:24, 4:12] = np.log(0.95 / 0.05)
    prototypes[0, 0, 2:14, 10:16] = np.log(0.6 / 0.4)
    table, _ = yolo(np.float32([[8, 4, 72, 96]]), np.float32([0.9]), ("person",))
    table = np.concatenate([table, np.zeros((1, table.shape[1], 300), np.float32)], axis=2)
    outputs = {"output0": table, "output1": prototypes}
    net = engine(graphs.constant_detector(tmp_path / "net.onnx", outputs, (1, 3, 96, 128)))
    alpha = net.matte(FRAME).alpha
    assert alpha[12:52, 44:60].min() > 0.99  # the arm
    assert alpha[12:40, 12:34].max() < 0.01  # the haze


def test_an_edge_is_soft_and_lies_where_the_mask_is_one_half():
    """A ramp of 20 pixels, as a coarse mask gives it, and a step, as a certain one does."""
    x = np.arange(128, dtype=np.float32)
    for width in (20, 1e-3):
        probable = np.tile(np.clip((x - 63.75) / width + 0.5, 0, 1).astype(np.float32), (96, 1))
        alpha = edged(probable)
        assert alpha.dtype == np.float32
        assert alpha.min() == 0
        assert alpha.max() == 1
        assert (128 - alpha[50].sum()) == pytest.approx(64.25, abs=0.3)
        soft = (alpha[50] > 0) & (alpha[50] < 1)
        assert 2 <= soft.sum() <= EDGE + 1


def test_a_head_that_reaches_a_little_out_of_its_box_is_kept(tmp_path):
    table, prototypes = yolo(np.float32([[32, 24, 96, 96]]), np.float32([0.9]), ("person",))
    table = np.concatenate([table, np.zeros((1, table.shape[1], 300), np.float32)], axis=2)
    prototypes[0, 0, 4:6, 12:20] = 8  # from y=16 on: 2 pixels of it are near enough
    outputs = {"output0": table, "output1": prototypes}
    net = engine(graphs.constant_detector(tmp_path / "net.onnx", outputs, (1, 3, 96, 128)))
    alpha = net.matte(FRAME).alpha
    assert alpha[22:30, 52:76].min() > 0.5
    assert alpha[:20].max() < 0.01


def test_overlapping_boxes_of_one_thing_become_one(tmp_path):
    boxes = np.float32([BOXES[0], BOXES[0] + 1, BOXES[1]])
    table, prototypes = yolo(boxes, np.float32([0.9, 0.85, 0.8]), ("person",) * 3)
    table = np.concatenate([table, np.zeros((1, 116, 300), np.float32)], axis=2)
    outputs = {"output0": table, "output1": prototypes}
    path = graphs.constant_detector(tmp_path / "net.onnx", outputs, (1, 3, 96, 128))
    alpha = engine(path, instances=2).matte(FRAME).alpha
    assert iou(alpha, BOXES[0], BOXES[1]) > 0.97


def people(*boxes):
    boxes = np.float32(boxes)
    masks = np.ones((len(boxes), 28, 28), np.float32)
    return Detections(boxes, np.zeros(len(boxes), np.int64), np.ones(len(boxes), np.float32), masks)


def test_the_chosen_person_is_followed_past_a_larger_one(tmp_path):
    net = engine(dialect("detectron2", tmp_path / "net.onnx"), instances="largest")
    assert net._chosen(people([8, 16, 48, 88], [90, 40, 110, 88])) == ([0], [1])
    for step in range(1, 10):  # the other one comes near and grows
        grown = [90 - 6 * step, 40 - 4 * step, 120, 95]
        mine = [8 + step, 16, 48 + step, 88]
        assert net._chosen(people(grown, mine)) == ([1], [0])  # and the order changed


def test_a_person_missed_for_a_moment_is_not_replaced(tmp_path):
    net = engine(dialect("detectron2", tmp_path / "net.onnx"), instances=1)
    mine, other = [8, 16, 48, 88], [80, 40, 110, 88]
    assert net._chosen(people(mine, other))[0] == [0]
    for _ in range(PATIENCE):
        assert net._chosen(people(other))[0] == []
    assert net._chosen(people(other, mine))[0] == [1]
    for _ in range(PATIENCE + 1):
        kept = net._chosen(people(other))[0]
    assert kept == [0]  # gone for good: the other one now


def test_what_another_person_covers_is_not_mine(tmp_path):
    net = engine(dialect("detectron2", tmp_path / "net.onnx"))
    found = people([8, 16, 60, 88], [40, 16, 100, 88])
    found.masks[0] *= 0.8
    alpha, _ = net._alpha(found, [0], [1])
    assert alpha[50, 50] == 0
    assert alpha[50, 20] == 1


def test_the_matte_says_whose_each_pixel_is(tmp_path):
    found = engine(dialect("torchvision", tmp_path / "net.onnx"), classes=("person", "chair"))
    matte = check_matte(found.matte(FRAME))
    left, right = (set(matte.people[inside(box) > 0.99].tolist()) for box in BOXES[:2])
    assert len(left) == len(right) == 1
    assert not left & right
    assert 0 not in left | right
    assert set(matte.people[inside(BOXES[2]) > 0.99].tolist()) < left | right  # the chair
    assert not matte.people[:, 125:].any()


def test_where_two_masks_overlap_the_stronger_one_has_the_pixel(tmp_path):
    net = engine(dialect("detectron2", tmp_path / "net.onnx"))
    found = people([8, 16, 60, 88], [40, 16, 100, 88])
    found.masks[0] *= 0.8
    _, whose = net._alpha(found, [0, 1], [])
    assert whose[50, 20] == 1
    assert whose[50, 50] == whose[50, 80] == 2


def test_reset_lets_another_person_be_chosen(tmp_path):
    net = engine(dialect("detectron2", tmp_path / "net.onnx"), instances="largest")
    net._chosen(people([8, 16, 48, 88]))
    net.reset()
    assert net._chosen(people([8, 16, 48, 88], [50, 0, 128, 96]))[0] == [1]


def test_overlap_of_boxes():
    box = np.float32([0, 0, 2, 2])
    others = np.float32([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6], [0, 0, 0, 0]])
    assert overlap(box, others) == pytest.approx([1, 1 / 3, 0, 0])


def test_a_class_nobody_knows_suggests_the_nearest(tmp_path):
    with pytest.raises(EngineError, match="did you mean 'cell phone'"):
        engine(dialect("mmdet", tmp_path / "net.onnx"), classes=("person", "cellphone"))


def test_coco_numbers():
    assert len(_coco.NAMES) == len(_coco.SPARSE) == 80
    assert _coco.indices(("person", "toothbrush", "stop sign"), sparse=True) == {1, 90, 13}
    assert _coco.indices(("person", "toothbrush", "stop sign"), sparse=False) == {0, 79, 11}


def test_a_graph_that_is_no_detector_is_refused(tmp_path):
    path = graphs.person_map(tmp_path / "net.onnx")
    with pytest.raises(EngineError, match="not a detector with masks that is known"):
        engine(path)


def test_outputs_that_do_not_fit_each_other_are_refused(tmp_path):
    outputs = {
        "boxes": BOXES,
        "labels": np.int64([1]),
        "scores": SCORES,
        "masks": np.ones((3, 1, 96, 128), np.float32),
    }
    net = engine(graphs.constant_detector(tmp_path / "net.onnx", outputs, (1, 3, 96, 128)))
    with pytest.raises(EngineError, match="3 boxes, 1 classes"):
        net.matte(FRAME)


def test_large_frames_keep_their_shape_on_a_square_canvas(tmp_path):
    table, prototypes = yolo()
    table = np.concatenate([table, np.zeros((1, 116, 300), np.float32)], axis=2)
    path = graphs.constant_detector(
        tmp_path / "net.onnx", {"output0": table, "output1": prototypes}, (1, 3, 128, 128)
    )
    settings = EngineSettings(name="instance", model=path, device="cpu")
    net = Instance(settings, (1280, 960), Stats())
    assert net.work_size == (128, 96)
    image = cv2.resize(FRAME.image, (1280, 960))
    assert net.matte(Frame(image, 0, 0.0)).alpha.shape == (96, 128)
