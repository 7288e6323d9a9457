"""The RVM network: released names, agreement with the original, pictures against clips."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='needs the extra "torch"')
from helpers.rvm import randomised  # noqa: E402

from realtime_bg.networks import rvm_graph  # noqa: E402
from realtime_bg.networks.checkpoint import read_tensors  # noqa: E402
from realtime_bg.networks.rvm import RVM  # noqa: E402
from realtime_bg.runtimes.onnx import open_session  # noqa: E402


def walk(network, frames, ratio):
    states = [None] * 4
    with torch.inference_mode():
        for frame in frames:
            fgr, pha, *states = network(frame, *states, downsample_ratio=ratio)
    return fgr, pha, *states


@pytest.fixture
def two_threads():
    """By which the sums of the reference were parted: the fast guided filter magnifies rounding."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_agrees_with_the_original_implementation(shared_path, real_checkpoints):
    """With the weights that the reference was computed with, wherever they are."""
    reference = np.load(shared_path("models/rvm_reference.npz"))
    frames = torch.from_numpy(reference["frames"])[:, None]
    worst = []
    for path in real_checkpoints:
        network = RVM(refiner="fast_guided_filter").eval()
        tensors = read_tensors(path)
        network.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
        fgr, pha, *states = walk(network, frames, 0.5)
        pairs = ((fgr, "fgr"), (pha, "pha"), (states[3], "r4"))
        worst.append(max(np.abs(ours.numpy() - reference[name]).max() for ours, name in pairs))
    assert min(worst) < 1e-4


@pytest.mark.parametrize("refiner", ["deep_guided_filter", "fast_guided_filter"])
@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_a_clip_gives_what_its_frames_give(refiner, ratio):
    network = randomised(refiner=refiner)
    clip = torch.rand(2, 3, 3, 50, 70)
    with torch.inference_mode():
        fgr, pha, *states = network(clip, downsample_ratio=ratio)
    assert fgr.shape == clip.shape
    assert pha.shape == (2, 3, 1, 50, 70)
    last = walk(network, clip.unbind(1), ratio)
    # the fast guided filter magnifies rounding: see _box3
    for whole, stepped in zip((fgr[:, -1], pha[:, -1], *states), last, strict=True):
        torch.testing.assert_close(whole, stepped, atol=2e-3, rtol=0)


def test_the_fast_refiner_keeps_its_digits_in_half_precision():
    network = randomised(refiner="fast_guided_filter").refiner
    torch.manual_seed(2)
    wide = torch.rand(1, 3, 64, 64) * 0.1 + 0.45  # little contrast: the variance is tiny
    parts = [wide, wide[..., ::2, ::2], torch.rand(1, 3, 32, 32) * 0.01, torch.rand(1, 1, 32, 32)]
    hidden = torch.zeros(1, 16, 32, 32)
    half = [x.half() for x in parts]
    want = network(*(x.float() for x in half), hidden)
    got = network(*half, hidden.half())
    for one, other in zip(got, want, strict=True):
        assert one.dtype == torch.float16
        torch.testing.assert_close(one.float(), other, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (17, 33), (48, 65)])
def test_any_size_goes_through(size):
    fgr, pha, *states = walk(randomised(), [torch.rand(1, 3, *size)], 1.0)
    assert fgr.shape[-2:] == pha.shape[-2:] == size
    assert [state.shape[1] for state in states] == [16, 20, 40, 64]


def test_names_are_those_of_the_released_checkpoints(real_checkpoint):
    released = set(read_tensors(real_checkpoint))
    own = {name for name in RVM().state_dict() if not name.endswith("num_batches_tracked")}
    assert released < own
    assert {name.partition(".")[0] for name in own - released} == {"project_seg", "refiner"}
    shapes = {name: tuple(value.shape) for name, value in RVM().state_dict().items()}
    assert shapes["refiner.box_filter.weight"] == (4, 1, 3, 3)
    assert shapes["refiner.conv.0.weight"] == (16, 24, 1, 1)
    assert shapes["refiner.conv.6.weight"] == (4, 16, 1, 1)


def test_resnet_names_are_torchvisions():
    names = set(RVM("resnet50").state_dict())
    for name in (
        "conv1.weight",
        "bn1.running_var",
        "layer1.0.downsample.1.bias",
        "layer4.2.conv3.weight",
    ):
        assert f"backbone.{name}" in names
    assert RVM("resnet50").state_dict()["aspp.aspp1.0.weight"].shape == (256, 2048, 1, 1)


def test_a_checkpoint_without_the_training_head_loads():
    state = {k: v for k, v in RVM().state_dict().items() if not k.startswith("project_seg")}
    RVM().load_state_dict(state)
    state.pop("project_mat.conv.bias")
    with pytest.raises(RuntimeError, match=r"project_mat\.conv\.bias"):
        RVM().load_state_dict(state)


def test_unknown_parts_are_named():
    with pytest.raises(ValueError, match="vgg"):
        RVM("vgg")


@pytest.mark.parametrize(
    ("backbone", "refiner"),
    [
        ("mobilenetv3", "deep_guided_filter"),
        ("mobilenetv3", "fast_guided_filter"),
        ("resnet50", "deep_guided_filter"),
    ],
)
def test_graph_gives_what_the_network_gives(tmp_path, backbone, refiner):
    network = randomised(backbone, refiner)
    graph = rvm_graph.build({k: v.numpy() for k, v in network.state_dict().items()})
    path = tmp_path / "rvm.onnx"  # as a file: the ResNet's graph is large
    path.write_bytes(graph.SerializeToString())
    session, _ = open_session(path, "cpu")
    for size, ratio in (((37, 51), 1.0), ((90, 130), 0.4)):
        frames = torch.rand(3, 1, 3, *size)
        states = [np.zeros((1, 1, 1, 1), np.float32)] * 4
        for frame in frames:
            feed = {f"r{n}i": state for n, state in enumerate(states, start=1)}
            feed |= {"src": frame.numpy(), "downsample_ratio": np.float32([ratio])}
            fgr, pha, *states = session.run(["fgr", "pha", "r1o", "r2o", "r3o", "r4o"], feed)
        expected = walk(network, frames, ratio)
        for got, want in zip((fgr, pha, *states), expected, strict=True):
            np.testing.assert_allclose(got, want.numpy(), atol=1e-3)


def test_graph_agrees_with_pytorch_over_a_real_clip(shared_path, real_checkpoint, tmp_path):
    """30 recurrent frames with the released weights: rounding must not build up."""
    import av

    tensors = read_tensors(real_checkpoint)
    network = RVM(refiner="fast_guided_filter").eval()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    path = tmp_path / "rvm.onnx"
    path.write_bytes(rvm_graph.build(tensors).SerializeToString())
    session, _ = open_session(path, "cpu")
    ours = [np.zeros((1, 1, 1, 1), np.float32)] * 4
    theirs = [None] * 4
    worst = 0.0
    with av.open(str(shared_path("data/clips/book.mkv"))) as clip:
        for number, picture in enumerate(clip.decode(video=0)):
            if number == 30:
                break
            rgb = picture.reformat(128, 96, "rgb24").to_ndarray()
            src = np.ascontiguousarray(rgb.transpose(2, 0, 1)[None]).astype(np.float32) / 255
            feed = {f"r{n}i": state for n, state in enumerate(ours, start=1)}
            feed |= {"src": src, "downsample_ratio": np.float32([1])}
            fgr, pha, *ours = session.run(None, feed)
            with torch.inference_mode():
                want_fgr, want_pha, *theirs = network(torch.from_numpy(src), *theirs)
            worst = max(worst, np.abs(fgr - want_fgr.numpy()).max())
            worst = max(worst, np.abs(pha - want_pha.numpy()).max())
    assert number == 30
    assert worst < 1e-3


@pytest.mark.cuda
def test_half_precision_on_cuda_stays_close(shared_path, real_checkpoint):
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU here")
    tensors = read_tensors(real_checkpoint)
    network = RVM(refiner="fast_guided_filter").eval()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    frames = torch.from_numpy(np.load(shared_path("models/rvm_reference.npz"))["frames"])[:, None]
    want = walk(network, frames, 1.0)
    got = walk(network.cuda().half(), frames.cuda().half(), 1.0)
    for one, other in zip(got, want, strict=True):
        torch.testing.assert_close(one.float().cpu(), other, atol=0.05, rtol=0)
