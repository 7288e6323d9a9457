"""Networks with a person map: every layout and output kind, and what is said about guesses."""

import cv2
import numpy as np
import pytest
from helpers import graphs

from realtime_bg.engines.semantic import Semantic
from realtime_bg.errors import EngineError, ModelError
from realtime_bg.frames import Frame, check_matte
from realtime_bg.settings import EngineSettings, NetworkSettings
from realtime_bg.stats import Stats

SIZE = (160, 90)
# Mean IoU that the small public networks reach on 12 portraits; field figures are a little higher.
KNOWN = {
    "mediapipe.onnx": 0.82,
    "selfie_segmentation.onnx": 0.82,
    "prisma_nchw.onnx": 0.74,
    "deeplab_nchw.onnx": 0.6,
    "SINet_Softmax_simple.onnx": 0.58,
}


def bright_right():
    """A frame whose right half is bright: what the test networks call a person."""
    image = np.full((90, 160, 3), 20, np.uint8)
    image[:, 80:] = 230
    return Frame(image, 0, 0.0)


def engine(path, size=SIZE, **network):
    settings = EngineSettings(
        name="semantic", model=path, device="cpu", network=NetworkSettings(**network)
    )
    return Semantic(settings, size, Stats())


def is_right_half(alpha):
    middle = alpha.shape[1] // 2
    return alpha[:, : middle - 2].max() < 0.05 and alpha[:, middle + 2 :].min() > 0.95


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize(("classes", "person"), [(1, 0), (2, 1), (19, 11), (21, 15), (150, 12)])
@pytest.mark.parametrize("logits", [True, False])
def test_what_is_not_written_is_guessed_and_said(tmp_path, caplog, layout, classes, person, logits):
    path = graphs.person_map(tmp_path / "net.onnx", layout, classes, person, logits)
    matte = check_matte(engine(path).matte(bright_right()))
    if logits and classes > 2:  # the other classes share what the person leaves
        assert matte.alpha[:, -10:].min() > 0.9
        assert matte.alpha[:, :10].max() < 0.1
    elif logits or classes == 1:
        assert is_right_half(matte.alpha)
    assert "engine.network.output" in caplog.text
    assert ("engine.network.person" in caplog.text) == (classes > 2)


def test_guesses_are_said_once(tmp_path, caplog):
    net = engine(graphs.person_map(tmp_path / "net.onnx"))
    for _ in range(3):
        net.matte(bright_right())
    assert caplog.text.count("engine.network.output") == 1


def test_uint8_networks_get_bytes(tmp_path):
    path = graphs.person_map(tmp_path / "net.onnx", "nhwc", kind=graphs.TensorProto.UINT8)
    assert is_right_half(engine(path).matte(bright_right()).alpha)


def test_a_fixed_size_is_the_networks_and_the_matte_fits_small_frames(tmp_path):
    path = graphs.person_map(tmp_path / "net.onnx", fixed=(64, 96))
    net = engine(path)
    assert net.work_size == (96, 64)
    assert net.matte(bright_right()).alpha.shape == (64, 96)
    small = Frame(np.full((20, 30, 3), 250, np.uint8), 0, 0.0)
    matte = check_matte(engine(path, small.size).matte(small))
    assert matte.alpha.shape == (20, 30)
    assert matte.alpha.min() > 0.9


def test_mean_deviation_and_order_are_applied(tmp_path):
    path = graphs.person_map(tmp_path / "net.onnx")
    # bright is 0.9: minus 0.45 and over 2 it is no longer above one half
    dark = engine(path, mean=(0.45, 0.45, 0.45), std=(2, 2, 2), output="sigmoid")
    assert dark.matte(bright_right()).alpha.max() < 0.05
    weight = np.zeros((1, 3, 1, 1), np.float32)
    weight[0, 0] = 40
    nodes = [graphs.helper.make_node("Conv", ["x", "w", "b"], ["y"])]
    red = graphs.save(
        tmp_path / "red.onnx",
        nodes,
        {"x": (graphs.FLOAT, [1, 3, "h", "w"])},
        {"y": (graphs.FLOAT, [1, 1, "h", "w"])},
        {"w": weight, "b": np.float32([-20])},
    )
    image = np.zeros((90, 160, 3), np.uint8)
    image[:, :, 2] = 255  # red, in BGR
    frame = Frame(image, 0, 0.0)
    assert engine(red, output="sigmoid").matte(frame).alpha.min() > 0.9
    assert engine(red, output="sigmoid", order="bgr").matte(frame).alpha.max() < 0.1


def test_a_description_beside_the_file_is_read(tmp_path, caplog):
    path = graphs.person_map(tmp_path / "net.onnx", classes=5, person=3)
    path.with_suffix(".yaml").write_text("network: {output: softmax, person: 3}\n")
    alpha = engine(path).matte(bright_right()).alpha
    assert alpha[:, -10:].min() > 0.9
    assert not caplog.text
    path.with_suffix(".yaml").write_text("network: {person: many}\n")
    with pytest.raises(ModelError, match=r"net\.yaml"):
        engine(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"classes": 7}, r"which one is the person\? Set engine\.network\.person"),
        ({"fixed": (3, 3)}, r"NCHW or NHWC; set engine\.network\.layout"),
    ],
)
def test_what_cannot_be_guessed_names_its_option(tmp_path, changes, said):
    path = graphs.person_map(tmp_path / "net.onnx", **changes)
    with pytest.raises(EngineError, match=said):
        engine(path).matte(bright_right())


def test_class_numbers_want_to_know_which_is_the_person(tmp_path):
    path = graphs.number_map(tmp_path / "net.onnx", graphs.INT, 15)
    with pytest.raises(EngineError, match=r"class indices; .* Set engine\.network\.person"):
        engine(path)
    assert is_right_half(engine(path, person=15).matte(bright_right()).alpha)
    assert engine(path, person=1).matte(bright_right()).alpha.max() == 0


def test_bytes_are_a_mask(tmp_path):
    path = graphs.number_map(tmp_path / "net.onnx", graphs.TensorProto.UINT8, 255)
    assert is_right_half(engine(path).matte(bright_right()).alpha)
    classes = graphs.number_map(tmp_path / "net.onnx", graphs.TensorProto.UINT8, 2)
    known = engine(classes, person=2, output="classes")
    assert is_right_half(known.matte(bright_right()).alpha)


def test_two_maps_of_their_own_are_probabilities(tmp_path):
    """Sigmoids of the room and of the person, which need not sum to 1."""
    nodes = [
        graphs.helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=1),
        graphs.helper.make_node("Sub", ["m", "m"], ["z"]),
        graphs.helper.make_node("Concat", ["z", "m"], ["y"], axis=1),
    ]
    path = graphs.save(
        tmp_path / "net.onnx",
        nodes,
        {"x": (graphs.FLOAT, [1, 3, "h", "w"])},
        {"y": (graphs.FLOAT, [1, 2, "h", "w"])},
    )
    alpha = engine(path).matte(bright_right()).alpha
    assert alpha[:, :10].max() < 0.1
    assert alpha[:, -10:].min() > 0.88


def test_an_open_side_suits_deep_networks_and_a_fixed_one_stays(tmp_path):
    path = graphs.person_map(tmp_path / "net.onnx")
    assert all(side % 32 == 0 for side in engine(path, size=(1280, 720)).work_size)
    path = graphs.person_map(tmp_path / "net.onnx", fixed=(100, "w"))
    net = engine(path, size=(1280, 720))
    assert net.work_size[1] == 100
    frame = Frame(cv2.resize(bright_right().image, (1280, 720)), 0, 0.0)
    assert is_right_half(net.matte(frame).alpha)


def test_a_class_that_is_not_there_is_refused(tmp_path):
    path = graphs.person_map(tmp_path / "net.onnx", classes=2, person=1)
    with pytest.raises(EngineError, match=r"2 classes, engine\.network\.person is 5"):
        engine(path, person=5).matte(bright_right())


def test_nan_is_an_error_and_no_matte(tmp_path):
    nodes = [
        graphs.helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=1),
        graphs.helper.make_node("Sub", ["m", "m"], ["z"]),
        graphs.helper.make_node("Div", ["z", "z"], ["y"]),
    ]
    path = graphs.save(
        tmp_path / "nan.onnx",
        nodes,
        {"x": (graphs.FLOAT, [1, 3, "h", "w"])},
        {"y": (graphs.FLOAT, [1, 1, "h", "w"])},
    )
    with pytest.raises(EngineError, match="NaN"):
        engine(path).matte(bright_right())


def test_graphs_that_are_no_map_are_refused_with_their_shapes(tmp_path):
    nodes = [graphs.helper.make_node("Identity", ["x"], ["y"])]
    for shape in ([1, 3], [1, 3, 8, 8, 8]):
        ends = {"x": (graphs.FLOAT, shape)}, {"y": (graphs.FLOAT, shape)}
        path = graphs.save(tmp_path / "net.onnx", nodes, *ends)
        with pytest.raises(EngineError, match="not a semantic network"):
            engine(path)


def test_a_truncated_file_and_an_unknown_operator_are_named(tmp_path):
    path = graphs.person_map(tmp_path / "net.onnx")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelError, match=r"net\.onnx"):
        engine(path)
    nodes = [graphs.helper.make_node("NoSuchThing", ["x"], ["y"], domain="nobody")]
    value = graphs.helper.make_tensor_value_info("x", graphs.FLOAT, [1, 3, 8, 8])
    out = graphs.helper.make_tensor_value_info("y", graphs.FLOAT, [1, 1, 8, 8])
    model = graphs.helper.make_model(graphs.helper.make_graph(nodes, "g", [value], [out]))
    graphs.onnx.save(model, path)
    with pytest.raises(ModelError, match=r"net\.onnx"):
        engine(path)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_the_known_networks_find_people(shared_path, name):
    folder = shared_path("data/people/portraits")
    stems = sorted(path.stem for path in (folder / "masks").iterdir())[::16]
    overlaps = []
    for stem in stems:
        image = cv2.imread(str(next((folder / "images").glob(f"{stem}.*"))))
        mask = cv2.imread(str(next((folder / "masks").glob(f"{stem}.*"))), 0) > 127
        size = mask.shape[1], mask.shape[0]
        net = engine(shared_path("models/onnx") / name, size)
        person = cv2.resize(net.matte(Frame(image, 0, 0.0)).alpha, size) > 0.5
        overlaps.append((person & mask).sum() / max(1, (person | mask).sum()))
    assert np.mean(overlaps) > KNOWN[name]
