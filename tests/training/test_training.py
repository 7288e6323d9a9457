"""The training scripts over tiny data: two steps of each, every failure, runs that were killed."""

import csv
import json
import multiprocessing
import os
import signal
import sys
import types

import cv2
import numpy as np
import pytest
from helpers import scripts

torch = pytest.importorskip("torch", reason='needs the extra "torch"')

import onnxruntime as ort  # noqa: E402
from torch import nn  # noqa: E402

from realtime_bg import zoo  # noqa: E402
from realtime_bg.engines.embedded import Embedded  # noqa: E402
from realtime_bg.engines.semantic import Semantic  # noqa: E402
from realtime_bg.errors import DataError, TrainingError  # noqa: E402
from realtime_bg.frames import Frame, check_matte  # noqa: E402
from realtime_bg.installing import add_extra  # noqa: E402
from realtime_bg.networks.fcdensenet import FCDenseNet, FCDenseNet103  # noqa: E402
from realtime_bg.networks.unet import UNet  # noqa: E402
from realtime_bg.settings import EngineSettings  # noqa: E402
from realtime_bg.stats import Stats  # noqa: E402
from realtime_bg.training import (  # noqa: E402
    augment,
    batches,
    checkpoints,
    datasets,
    embedded,
    inpainting,
    losses,
    scenes,
    segmentation,
)
from realtime_bg.training.datasets import CocoPhotos, Sample, Windows, open_photos  # noqa: E402
from realtime_bg.training.export import export  # noqa: E402
from realtime_bg.training.task import Task  # noqa: E402

SIDE = 32


def person(rng, size=(40, 36)):
    """A dark room with a bright ellipse, and its mask."""
    mask = np.zeros(size[::-1], np.uint8)
    centre = rng.integers(12, 26, 2).tolist()
    cv2.ellipse(mask, centre, rng.integers(7, 13, 2).tolist(), 0, 0, 360, 255, -1)
    room = rng.integers(20, 70, (*mask.shape, 3))
    return np.where(mask[..., None] > 0, room + 160, room).astype(np.uint8), mask


@pytest.fixture
def photos(tmp_path):
    """Twelve photos with masks."""
    root, rng = tmp_path / "photos", np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for index in range(12):
        image, mask = person(rng)
        cv2.imwrite(str(root / f"images/{index:02}.png"), image)
        cv2.imwrite(str(root / f"masks/{index:02}.png"), mask)
    return root


class Tiny(nn.Sequential):
    """Learns, normalises and drops out, in no time."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Conv2d(4, 1, 3, padding=1),
        )


class Diverging(Tiny):
    """Gives NaN from the third training step on."""

    def __init__(self):
        super().__init__()
        self.steps = 0

    def forward(self, x):
        self.steps += self.training
        return super().forward(x) * (float("nan") if self.steps > 2 else 1)


class Tiramisu(FCDenseNet):
    """The Tiramisu with 7 of its layers."""

    def __init__(self):
        super().__init__(1, (1, 2, 1), growth=4, width=8)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """The architectures of this file, beside the real ones."""
    for name in ("Tiny", "Diverging", "Tiramisu"):
        arch = segmentation.Arch(f"{__name__}:{name}", (SIDE, SIDE), 3, 1e-2)
        monkeypatch.setitem(segmentation.ARCHS, name.lower(), arch)


def train(photos, out, *more, arch="tiny", script="train_segmentation", data=None):
    """The exit code of a small run on one process."""
    named = ("--arch", arch) if arch else ()
    return scripts.run(
        script,
        *named,
        "--data",
        data or f"folder:{photos}",
        "--out",
        out,
        "--size",
        SIDE,
        "--workers",
        0,
        *more,
    )


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_the_embedded_network_trains_with_a_teacher_and_its_engine_takes_it(
    photos, tmp_path, capsys, checkpoint
):
    """Two sets of photos, one of them twice; the average of the weights is what is kept."""
    out = tmp_path / "run"
    more = ("--data", f"folder:{photos}*2", "--steps", 2, "--batch", 4, "--teacher", checkpoint)
    assert train(photos, out, *more, arch="embedded") == 0
    said = capsys.readouterr().err
    path = out / "embedded.onnx"
    assert f"realtime-bg --engine embedded --model {path}" in said
    assert path.stat().st_size < 5e6
    assert float(rows(out / "train.csv")[-1]["taught"]) > 0
    assert not same(weights(out / "best.pt"), weights(out / "last.pt"))
    engine = Embedded(EngineSettings(name="embedded", model=path, device="cpu"), (90, 50), Stats())
    matte = check_matte(engine.matte(Frame(np.zeros((50, 90, 3), np.uint8), 0, 0.0)))
    assert matte.alpha.shape == (50, 90)
    capsys.readouterr()
    assert train(photos, out, *more, "--steps", 3, "--resume", arch="embedded") == 0
    assert "backbone" not in capsys.readouterr().err  # it has learned by now
    assert train(photos, out, *more[:-2], "--resume", arch="embedded") == 2
    assert "started with teacher True, not False" in capsys.readouterr().err


def test_a_resumed_run_of_the_embedded_network_is_the_run_that_was_not(
    photos, tmp_path, monkeypatch
):
    """Also in what it is shown as its own last answer."""
    monkeypatch.setattr(embedded, "OWN_HINTS", 0.5)
    more = ("--batch", 2, "--save-every", 1)
    assert train(photos, tmp_path / "whole", *more, "--steps", 4, arch="embedded") == 0
    for steps in (1, 2, 3):
        resumed = ("--resume",) if steps > 1 else ()
        real = embedded._loss
        seen = []

        def stopping(network, batch, real=real, seen=seen):
            if seen:
                raise MemoryError
            seen.append(1)
            return real(network, batch)

        monkeypatch.setattr(embedded, "_loss", stopping)
        with pytest.raises(MemoryError):
            train(photos, tmp_path / "half", *more, "--steps", 4, *resumed, arch="embedded")
        monkeypatch.setattr(embedded, "_loss", real)
    assert train(photos, tmp_path / "half", *more, "--steps", 4, "--resume", arch="embedded") == 0
    whole, half = (weights(tmp_path / folder / "last.pt") for folder in ("whole", "half"))
    assert same(whole, half)


def test_scenes_pass_over_photos_with_a_crowd():
    mask = np.zeros((100, 100), np.uint8)
    mask[30:, 20:80] = 255
    bright, dark = np.full((100, 100, 3), 255, np.uint8), np.zeros((100, 100, 3), np.uint8)
    crowd = np.full_like(mask, 255)
    crowd[:50] = 0
    mixed = embedded.Scenes([Sample(bright, mask, crowd), Sample(dark, mask)], (64, 36), 0)
    plain = embedded.Scenes([Sample(dark, mask), Sample(dark, mask)], (64, 36), 0)
    for step in range(8):
        for one, other in zip(mixed[0, 0, step], plain[0, 0, step], strict=True):
            assert torch.equal(one, other)
    alone = embedded.Scenes([Sample(bright, mask, crowd)], (64, 36), 0)
    assert alone[0, 0, 0] == "no photo without a crowd"


def test_scenes_show_people_where_their_alpha_says(photos):
    """A plain person before a plain wall, however framed: colour and alpha agree."""
    mask = np.zeros((300, 200), np.uint8)
    mask[60:, 60:140] = 255
    image = np.where(mask[..., None] > 0, (20, 20, 230), (230, 200, 20)).astype(np.uint8)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        matrix, _ = scenes.framing(mask, (128, 96), rng)
        assert np.isfinite(matrix).all()
        picture, alpha = scenes.scene(image, mask, (image, mask), (128, 96), rng)
        assert picture.shape == (96, 128, 3)
        assert alpha.shape == (96, 128)
        assert 0 <= alpha.min() <= alpha.max() <= 1
        last = scenes.hint(alpha, rng)
        assert last.dtype == np.float32
        assert 0 <= last.min() <= last.max() <= 1
        red = picture[..., 2].astype(int) - picture[..., 0]
        if 0.05 < (alpha > 0.5).mean() < 0.95 and np.ptp(red) > 100:
            assert red[alpha > 0.95].mean() > red[alpha < 0.05].mean() + 30, seed


def test_a_passer_by_is_behind_whoever_is_there_and_counts_as_a_person():
    """Somebody red, whole in the photo, before blue; in front of them somebody green."""
    mask = np.zeros((200, 160), np.uint8)
    mask[20:180, 60:100] = 255
    image = np.where(mask[..., None] > 0, (20, 20, 230), (230, 20, 20)).astype(np.uint8)
    alpha = np.zeros((96, 128), np.float32)
    alpha[:, 40:90] = 1
    picture = np.where(alpha[..., None] > 0, (20, 230, 20), (90, 90, 90)).astype(np.uint8)
    seen = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        more, joined = scenes.add_passer_by(picture, alpha, image, mask, rng)
        assert (more[:, 42:88] == picture[:, 42:88]).all(), seed
        assert (joined >= alpha).all()
        assert joined.max() <= 1
        new = joined - alpha > 0.99
        seen += new.any()
        assert (more[new].argmax(-1) == 2).all(), seed
        assert (more[joined == 0] == 90).all(), seed
    assert seen > 10
    beside = np.roll(mask, -60, 1)  # cut off at the left
    same, alone = scenes.add_passer_by(picture, alpha, image, beside, rng)
    assert same is picture
    assert alone is alpha


def test_lamplight_darkens_what_is_far_from_the_lamp():
    for seed in range(20):
        white = np.full((96, 128, 3), 255, np.uint8)
        lit = scenes.lamplit(white, np.random.default_rng(seed))
        assert lit.shape == white.shape
        assert lit.min() < 200, seed


def test_a_print_stays_on_the_clothes_and_below_the_head():
    grey = np.full((96, 128, 3), 120, np.uint8)
    person = np.zeros((96, 128), np.float32)
    person[16:, 40:90] = 1
    printed = 0
    for seed in range(30):
        shown = scenes.patterned(grey, person, np.random.default_rng(seed))
        changed = (shown != grey).any(-1)
        assert not changed[16:30, 40:90].any(), seed  # the head
        if not changed[person == 0].any():  # else a part of the room has it, too
            printed += changed[person == 1].mean() > 0.05
    assert printed > 10


def test_what_stands_before_people_is_none_of_them():
    person = np.zeros((96, 128), np.float32)
    person[16:, 40:90] = 1
    picture = np.full((96, 128, 3), 200, np.uint8)
    hidden = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        shown, alpha = scenes.add_occluder(picture, person, picture // 4, rng)
        assert (alpha <= person).all()
        assert (np.abs(shown[alpha > 0.995].astype(int) - 200) < 3).all(), seed
        hidden += ((person == 1) & (alpha < 0.5)).any()
    assert hidden > 8


@pytest.mark.parametrize("thing", [scenes.hung, scenes.globe, scenes.railing, scenes.drawn])
def test_a_room_gets_something_that_is_no_person(thing):
    y, x = np.mgrid[:72, :128]
    empty = np.stack([x * 1.9, y * 3, x + y], -1).astype(np.uint8)
    changed = 0
    for seed in range(20):
        shown = thing(empty, np.random.default_rng(seed))
        assert shown.dtype == np.uint8
        assert shown.shape == empty.shape
        changed += (shown != empty).any()
        assert (shown == thing(empty, np.random.default_rng(seed))).all()
    assert changed > 12


def weights(path):
    return torch.load(path, weights_only=True)["model"]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(("arch", "more"), [("unet", ("--width", 4)), ("tiramisu", ())])
def test_two_steps_end_in_a_file_that_the_engine_takes(photos, tmp_path, capsys, arch, more):
    assert train(photos, tmp_path / "run", "--steps", 2, "--batch", 4, *more, arch=arch) == 0
    said = capsys.readouterr().err
    assert "ONNX Runtime differs from PyTorch by" in said
    path = tmp_path / f"run/{arch}.onnx"
    assert f"realtime-bg --engine semantic --model {path}" in said
    assert [row["step"] for row in rows(tmp_path / "run/val.csv")] == ["2"]
    assert float(rows(tmp_path / "run/train.csv")[-1]["loss"]) > 0
    row = path.with_suffix(".yaml").read_text()
    model = zoo.Model(name=arch, **zoo.yaml.safe_load(row))
    assert (model.bytes, model.sha256) == (path.stat().st_size, zoo.digest(path))
    settings = EngineSettings(name="semantic", model=path, device="cpu")
    engine = Semantic(settings, (90, 50), Stats())
    matte = check_matte(engine.matte(Frame(np.zeros((50, 90, 3), np.uint8), 0, 0.0)))
    assert matte.alpha.shape == (50, 90)
    assert "taken for" not in capsys.readouterr().err  # nothing had to be guessed
    kept = torch.load(tmp_path / "run/best.pt", weights_only=True)
    assert kept["settings"]["arch"] == arch
    assert kept["settings"]["data"] == [f"folder:{photos}"]


def test_the_table_of_architectures_leads_to_the_papers_networks():
    assert segmentation.import_name(segmentation.ARCHS["unet"].network) is UNet
    assert segmentation.import_name(segmentation.ARCHS["fcdensenet103"].network) is FCDenseNet103
    assert segmentation.ARCHS["unet"][1:3] == ((256, 256), 32)
    assert segmentation.ARCHS["fcdensenet103"].size == (224, 224)
    for arch in segmentation.ARCHS.values():
        assert callable(segmentation.import_name(arch.network))
        assert callable(segmentation.import_name(arch.task))


def test_training_learns_and_the_exported_file_has_learned(photos, tmp_path):
    assert train(photos, tmp_path / "run", "--epochs", 12, "--log-every", 5) == 0
    scores = [float(row["iou"]) for row in rows(tmp_path / "run/val.csv")]
    assert len(scores) == 12
    assert max(scores) > 0.9
    best = torch.load(tmp_path / "run/best.pt", weights_only=True)
    assert best["scores"]["iou"] == pytest.approx(max(scores), abs=1e-5)
    image, mask = person(np.random.default_rng(99))
    settings = EngineSettings(name="semantic", model=tmp_path / "run/tiny.onnx", device="cpu")
    alpha = Semantic(settings, (40, 36), Stats()).matte(Frame(image, 0, 0.0)).alpha
    overlap = (alpha > 0.5) & (mask > 0)
    assert overlap.sum() / ((alpha > 0.5) | (mask > 0)).sum() > 0.9


@pytest.mark.parametrize("how", ["asked", "killed"])
def test_a_run_that_was_stopped_and_resumed_is_the_run_that_was_not(
    photos, tmp_path, capsys, monkeypatch, how
):
    arguments = ("--steps", 8, "--save-every", 2, "--log-every", 1)
    assert train(photos, tmp_path / "whole", *arguments) == 0
    real, steps = segmentation._loss, []

    def stopping(model, batch):
        steps.append(1)
        if len(steps) == 5 and how == "asked":
            signal.raise_signal(signal.SIGTERM)
        if len(steps) == 6 and how == "killed":  # as by kill -9: nothing runs after it
            raise MemoryError
        return real(model, batch)

    monkeypatch.setattr(segmentation, "_loss", stopping)
    if how == "asked":
        assert train(photos, tmp_path / "half", *arguments) == 130
        assert "stopped after step 5 of 8" in capsys.readouterr().err
    else:
        with pytest.raises(MemoryError):
            train(photos, tmp_path / "half", *arguments)
        (tmp_path / "half/.last.pt.part").write_bytes(b"torn")
    assert not (tmp_path / "half/tiny.onnx").exists()
    monkeypatch.setattr(segmentation, "_loss", real)
    assert train(photos, tmp_path / "half", *arguments, "--resume") == 0
    for name in ("last.pt", "best.pt"):
        assert same(weights(tmp_path / "whole" / name), weights(tmp_path / "half" / name))
    for name in ("train.csv", "val.csv"):
        whole, half = (rows(tmp_path / folder / name) for folder in ("whole", "half"))
        for row in whole + half:
            del row["seconds"]
        assert whole == half
    assert (tmp_path / "half/tiny.onnx").is_file()


def test_reading_processes_change_nothing(photos, tmp_path):
    for workers in (0, 2):
        out = tmp_path / str(workers)
        assert train(photos, out, "--steps", 4, "--workers", workers) == 0
    assert same(weights(tmp_path / "0/last.pt"), weights(tmp_path / "2/last.pt"))


def test_ctrl_c_in_a_terminal_reaches_the_reading_processes_too(
    photos, tmp_path, capsys, monkeypatch
):
    real, steps = segmentation._loss, []

    def stopping(model, batch):
        steps.append(1)
        if len(steps) == 2:
            readers = multiprocessing.active_children()
            assert len(readers) == 2
            for process in readers:
                os.kill(process.pid, signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return real(model, batch)

    monkeypatch.setattr(segmentation, "_loss", stopping)
    assert train(photos, tmp_path / "run", "--steps", 9, "--workers", 2) == 130
    assert "stopped after step 2 of 9; continue with --resume" in capsys.readouterr().err
    assert torch.load(tmp_path / "run/last.pt", weights_only=True)["step"] == 2


def test_another_seed_is_another_run(photos, tmp_path):
    for seed in (0, 1):
        assert train(photos, tmp_path / str(seed), "--steps", 1, "--seed", seed) == 0
    assert not same(weights(tmp_path / "0/last.pt"), weights(tmp_path / "1/last.pt"))


def test_every_picture_is_seen_once_an_epoch_in_an_order_of_its_own():
    order = list(batches.Order(10, 3, seed=5, start=0, total=7))
    assert [len(batch) for batch in order] == [3] * 7
    assert [{epoch for epoch, *_ in batch} for batch in order] == [{0}] * 3 + [{1}] * 3 + [{2}]
    first, second = ([i for batch in order[n : n + 3] for _, i, _ in batch] for n in (0, 3))
    assert len(set(first)) == len(set(second)) == 9
    assert first != second
    assert list(batches.Order(10, 3, seed=5, start=4, total=7)) == order[4:]
    assert len(next(iter(batches.Order(2, 32, 0, 0, 1)))) == 2  # fewer pictures than a batch holds


def refused(capsys, reason, *arguments, **named):
    """Ends with exit code 2 and one last line that says ``reason``."""
    assert train(*arguments, **named) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("realtime-bg: ")
    assert reason in last


def test_a_loss_that_is_no_number_ends_the_run_and_spoils_nothing(photos, tmp_path, capsys):
    out = tmp_path / "run"
    refused(
        capsys,
        "the loss became nan at step 3; try again with a lower --lr",
        photos,
        out,
        arch="diverging",
    )
    assert not (out / "last.pt").exists()
    refused(
        capsys,
        "last.pt is from before: continue with --resume and a lower --lr",
        photos,
        tmp_path / "other",
        "--save-every",
        1,
        arch="diverging",
    )
    kept = torch.load(tmp_path / "other/last.pt", weights_only=True)
    assert kept["step"] == 2
    assert all(value.isfinite().all() for value in kept["model"].values())


def test_what_cannot_be_read_is_named_once_and_left_out(photos, tmp_path, capsys):
    names = [path.name for path in sorted((photos / "images").iterdir())]
    (photos / "images" / names[0]).write_bytes(b"no picture")
    cv2.imwrite(str(photos / "masks" / names[1]), np.zeros((10, 10), np.uint8))
    (photos / "masks" / names[2]).unlink()
    assert train(photos, tmp_path / "run", "--epochs", 3) == 0
    said = capsys.readouterr().err
    assert said.count(f"{names[0]}: not a readable image; left out") == 1
    assert said.count("the mask is 10x10, its image 40x36; left out") == 1
    assert said.count(f"no mask in {photos / 'masks'} for {names[2]}; left out") == 1


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda root: [p.unlink() for p in (root / "images").iterdir()], "contains no images"),
        (lambda root: [p.unlink() for p in (root / "masks").iterdir()], "no image has a mask"),
        (lambda root: (root / "masks").rename(root / "m"), "masks: no such folder"),
        (lambda root: [p.write_bytes(b"") for p in (root / "images").iterdir()], "could be read"),
        (lambda root: [p.unlink() for p in sorted((root / "images").iterdir())[1:]], "at least 2"),
    ],
)
def test_data_that_cannot_train_end_in_one_line(photos, tmp_path, capsys, spoil, reason):
    spoil(photos)
    refused(capsys, reason, photos, tmp_path / "run", "--epochs", 2)
    assert not (tmp_path / "run/tiny.onnx").exists()


def test_runs_are_not_overwritten_nor_mixed_up(photos, tmp_path, capsys):
    out = tmp_path / "run"
    refused(capsys, "start the run without --resume", photos, out, "--resume")
    assert train(photos, out, "--steps", 1) == 0
    refused(capsys, "contains a run; continue it with --resume", photos, out, "--steps", 2)
    refused(capsys, "started with batch 3, not 2", photos, out, "--resume", "--batch", 2)
    refused(
        capsys,
        "started with arch tiny, not unet",
        photos,
        out,
        "--resume",
        "--batch",
        3,
        arch="unet",
    )
    assert train(photos, out, "--steps", 2, "--resume") == 0  # longer is allowed
    assert [row["step"] for row in rows(out / "val.csv")] == ["1", "2"]
    cv2.imwrite(str(photos / "images/more.png"), np.zeros((36, 40, 3), np.uint8))
    cv2.imwrite(str(photos / "masks/more.png"), np.zeros((36, 40), np.uint8))
    refused(capsys, "started with photos 12 (", photos, out, "--resume")
    (photos / "images/more.png").unlink()
    (out / "last.pt").write_bytes((out / "last.pt").read_bytes()[:100])
    refused(capsys, "last.pt: not a readable checkpoint", photos, out, "--resume")
    (tmp_path / "file").write_text("")
    refused(capsys, "cannot be created", photos, tmp_path / "file/run")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--data", "photos"), "write coco:ROOT or folder:ROOT"),
        (("--data", "folder:/nowhere/at/all"), "no such folder"),
        (("--device", "cuda:7"), "PyTorch finds no CUDA device"),
    ],
)
def test_wrong_arguments_end_in_one_line(photos, tmp_path, capsys, monkeypatch, arguments, reason):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused(capsys, reason, photos, tmp_path / "run", *arguments)


def test_deeplabv3_needs_a_torchvision_that_works(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    refused(capsys, f"run: {add_extra('train')}", photos, tmp_path / "run", arch="deeplabv3")


def test_tensorboard_is_fed_where_it_is_installed(photos, tmp_path, monkeypatch):
    written, closed = [], []

    class SummaryWriter:
        def __init__(self, folder, purge_step):
            written.append((folder, purge_step))

        def add_scalar(self, name, value, step):
            written.append((name, step))

        def close(self):
            closed.append(True)

    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    assert train(photos, tmp_path / "run", "--steps", 1) == 0
    assert written[0] == (str(tmp_path / "run"), 1)
    assert {("train/loss", 1), ("val/iou", 1)} <= set(written)
    assert closed == [True]


def test_deeplabv3_is_torchvisions_with_one_class(photos, tmp_path, monkeypatch):
    """torchvision itself is not at hand: something with its names and its dictionary is."""

    class DeepLab(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = nn.Conv2d(3, 8, 3, stride=2, padding=1)
            self.classifier = nn.Sequential(nn.ReLU(), nn.Conv2d(8, 21, 1))
            self.aux_classifier = nn.Conv2d(8, 21, 1)

        def forward(self, x):
            maps = self.classifier(self.backbone(x))
            return {"out": nn.functional.interpolate(maps, x.shape[-2:], mode="bilinear")}

    asked = []

    def build(**arguments):
        asked.append(arguments)
        return DeepLab()

    module = types.ModuleType("torchvision.models.segmentation")
    module.deeplabv3_resnet50 = build
    for name in ("torchvision", "torchvision.models"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "torchvision.models.segmentation", module)
    out = tmp_path / "run"
    assert train(photos, out, "--steps", 1, "--batch", 2, arch="deeplabv3") == 0
    assert train(photos, out, "--steps", 2, "--batch", 2, "--resume", arch="deeplabv3") == 0
    assert train(photos, tmp_path / "other", "--batch", 1, arch="deeplabv3") == 2
    assert asked == [{"weights": "DEFAULT"}, {"weights": None, "weights_backbone": None}]
    kept = weights(out / "best.pt")
    assert kept["network.classifier.1.weight"].shape == (1, 8, 1, 1)
    assert not any("aux" in name for name in kept)
    assert (out / "deeplabv3.onnx").is_file()


class Recurrent(nn.Module):
    """Clips (B, T, 3, H, W) and a state in, logits (B, T, 1, H, W) out."""

    def __init__(self):
        super().__init__()
        self.see, self.answer = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 1, 1)

    def forward(self, clip, state=None):
        steps = []
        for moment in clip.unbind(1):
            seen = self.see(moment)
            state = seen if state is None else 0.5 * (state + seen)
            steps.append(self.answer(state))
        return torch.stack(steps, 1)


class Clips(Windows):
    """A photo shown three times."""

    def __getitem__(self, place):
        image, target = super().__getitem__(place)
        return image.expand(3, -1, -1, -1), target


def clip_task(model, size, seed, train, val):
    """What an architecture with data and a contract of its own plugs in."""

    def logits(network, batch):
        return network(batch[0] / 255)[:, -1], batch[1][:, :1] / 255

    def loss(network, batch):
        out, truth = logits(network, batch)
        return losses.bce_dice(out, truth, torch.ones_like(truth))

    def scores(network, batch):
        out, truth = logits(network, batch)
        return {"iou": (1 - (out.sigmoid() - truth).abs().mean((1, 2, 3))).tolist()}

    return Task(
        model,
        Clips(train, size, seed),
        Clips(val, size, None),
        loss,
        scores,
        lambda best, path: path.write_text(type(best).__name__),
    )


def test_an_architecture_may_bring_its_own_data_loss_and_export(photos, tmp_path, monkeypatch):
    arch = segmentation.Arch(
        f"{__name__}:Recurrent", (SIDE, SIDE), 3, 1e-2, f"{__name__}:clip_task"
    )
    monkeypatch.setitem(segmentation.ARCHS, "recurrent", arch)
    assert train(photos, tmp_path / "run", "--epochs", 2, arch="recurrent") == 0
    assert (tmp_path / "run/recurrent.onnx").read_text() == "Recurrent"
    assert len(rows(tmp_path / "run/val.csv")) == 2


@pytest.fixture
def coco(tmp_path):
    """COCO's layout with five photos: two people and a crowd, one person, a crowd only, a dog,
    one person."""
    pytest.importorskip("pycocotools", reason='needs the extra "train"')
    root, rng = tmp_path / "coco", np.random.default_rng(0)
    (root / "annotations").mkdir(parents=True)

    def box(key, image, x, y, w, h, category=1):
        outline = [x, y, x + w, y, x + w, y + h, x, y + h]
        return {
            "id": key,
            "image_id": image,
            "category_id": category,
            "iscrowd": 0,
            "segmentation": [outline],
            "area": w * h,
            "bbox": [x, y, w, h],
        }

    def crowd(key, image, columns):  # the right ``columns`` of 40x30, counted down the columns
        counts = [(40 - columns) * 30, columns * 30]
        region = {"counts": counts, "size": [30, 40]}
        return {
            "id": key,
            "image_id": image,
            "category_id": 1,
            "iscrowd": 1,
            "area": columns * 30,
            "segmentation": region,
            "bbox": [40 - columns, 0, columns, 30],
        }

    for split in ("train2017", "val2017"):
        (root / split).mkdir()
        for index in range(1, 6):
            picture = rng.integers(0, 255, (30, 40, 3), np.uint8)
            cv2.imwrite(str(root / split / f"{index:012}.jpg"), picture)
        content = {
            "images": [
                {"id": index, "file_name": f"{index:012}.jpg", "width": 40, "height": 30}
                for index in range(1, 6)
            ],
            "categories": [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}],
            "annotations": [
                box(1, 1, 4, 5, 8, 10),
                box(2, 1, 26, 5, 8, 10),
                crowd(3, 1, 10),
                box(4, 2, 10, 10, 10, 10),
                crowd(5, 3, 20),
                box(6, 4, 1, 1, 9, 9, 18),
                box(7, 5, 5, 5, 10, 20),
            ],
        }
        (root / f"annotations/instances_{split}.json").write_text(json.dumps(content))
    return root


def test_coco_masks_hold_all_people_and_crowds_do_not_count(coco):
    photos = CocoPhotos(coco, "train2017")
    assert len(photos) == 3  # not the crowd alone, not the dog
    image, mask, valid, _ = photos[0]
    assert image.shape == (30, 40, 3)
    person = np.zeros((30, 40), bool)
    person[5:15, 4:12] = person[5:15, 26:34] = True
    assert np.array_equal(mask > 0, person)
    unknown = np.zeros((30, 40), bool)
    unknown[:, 30:] = True
    assert np.array_equal(valid == 0, unknown & ~person)
    assert (photos[1].valid > 0).all()


def test_two_steps_on_coco(coco, tmp_path):
    out = tmp_path / "run"
    assert train(None, out, "--steps", 2, "--batch", 2, data=f"coco:{coco}") == 0
    train_photos, val_photos = open_photos(f"coco:{coco}", 0.1, 0)
    assert (len(train_photos), len(val_photos)) == (3, 3)  # its own split
    for path in (coco / "val2017").iterdir():
        path.unlink()
    (coco / "val2017").rmdir()
    train_photos, val_photos = open_photos(f"coco:{coco}", 0.4, 0)
    assert len(train_photos) + len(val_photos) == 3  # by seed


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (
            lambda root: (root / "annotations/instances_train2017.json").unlink(),
            "unpack annotations_trainval2017.zip",
        ),
        (
            lambda root: (root / "annotations/instances_train2017.json").write_text("{no json"),
            "cannot be read",
        ),
        (
            lambda root: (root / "annotations/instances_train2017.json").write_text("[]"),
            "not instance annotations of COCO",
        ),
        (
            lambda root: (root / "annotations/instances_train2017.json").write_text(
                '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}'
            ),
            "has no category 'person'",
        ),
        (lambda root: (root / "train2017").rename(root / "elsewhere"), "unpack train2017.zip"),
    ],
)
def test_a_damaged_coco_is_named(coco, tmp_path, capsys, spoil, reason):
    spoil(coco)
    refused(capsys, reason, None, tmp_path / "run", data=f"coco:{coco}")


def test_coco_without_its_package_says_what_to_install(coco, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    refused(capsys, f"run: {add_extra('train')}", None, tmp_path / "run", data=f"coco:{coco}")


def test_a_coco_photo_of_another_size_than_its_annotation_is_left_out(coco):
    cv2.imwrite(str(coco / "train2017/000000000002.jpg"), np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(DataError, match="is 10x10, but its annotation is 40x30"):
        CocoPhotos(coco, "train2017")[1]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content["annotations"][3].update(segmentation=[]),
        lambda content: content["annotations"][3].pop("segmentation"),
        lambda content: content["images"].pop(1),
    ],
)
def test_a_coco_photo_with_an_odd_annotation_is_left_out(coco, spoil):
    path = coco / "annotations/instances_train2017.json"
    content = json.loads(path.read_text())
    spoil(content)
    path.write_text(json.dumps(content))
    photos = CocoPhotos(coco, "train2017")
    with pytest.raises(DataError, match="COCO photo 2: annotation cannot be read"):
        photos[1]
    assert photos[0].mask.any()


def inpaint(photos, out, *more):
    return train(
        photos,
        out,
        "--width",
        4,
        "--levels",
        2,
        "--batch",
        3,
        *more,
        arch=None,
        script="train_inpaint",
        data=f"folder:{photos / 'images'}",
    )


def test_too_deep_a_network_for_one_picture_ends_in_one_line(photos, tmp_path, capsys):
    assert inpaint(photos, tmp_path / "run", "--size", 32, "--levels", 5, "--batch", 1) == 2
    assert "batch norm needs more than one value per channel" in capsys.readouterr().err


@pytest.fixture
def vgg(tmp_path):
    """A file with VGG-16's names and shapes."""
    from realtime_bg.networks.vgg16 import VGG16Features

    torch.manual_seed(0)
    torch.save(VGG16Features().state_dict(), tmp_path / "vgg.pth")
    return tmp_path / "vgg.pth"


def test_two_steps_of_inpainting_end_in_a_file_that_fills_holes(photos, tmp_path, capsys, vgg):
    assert inpaint(photos, tmp_path / "run", "--steps", 2, "--vgg", vgg) == 0
    assert "ONNX Runtime differs from PyTorch by" in capsys.readouterr().err
    first = rows(tmp_path / "run/train.csv")[0]
    assert all(float(first[name]) > 0 for name in ("valid", "hole", "perceptual", "style", "tv"))
    assert {"psnr", "mad"} <= rows(tmp_path / "run/val.csv")[0].keys()
    session = ort.InferenceSession(str(tmp_path / "run/inpaint.onnx"))
    image = np.random.default_rng(0).random((1, 3, 45, 70), np.float32)
    mask = np.ones((1, 1, 45, 70), np.float32)
    mask[..., 10:30, 20:50] = 0
    (filled,) = session.run(["filled"], {"image": image, "mask": mask})
    assert np.array_equal(filled * mask, image * mask)
    assert filled.min() >= 0
    assert filled.max() <= 1
    (other,) = session.run(["filled"], {"image": image * mask, "mask": mask})
    assert np.array_equal(filled, other)
    model = zoo.Model(name="x", **zoo.yaml.safe_load((tmp_path / "run/inpaint.yaml").read_text()))
    assert model.sha256 == zoo.digest(tmp_path / "run/inpaint.onnx")


def test_inpainting_without_vgg_says_so_once_and_goes_on(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "nothing"))
    assert inpaint(photos, tmp_path / "run", "--steps", 2) == 0
    said = capsys.readouterr().err
    assert said.count("the perceptual and style losses are left out") == 1
    assert "style" not in rows(tmp_path / "run/train.csv")[0]


def test_inpainting_resumes_into_its_second_stage(photos, tmp_path, monkeypatch):
    arguments = ("--steps", 6, "--finetune", 0.5, "--save-every", 1, "--log-every", 1)
    assert inpaint(photos, tmp_path / "whole", *arguments) == 0
    rates = [float(row["lr"]) for row in rows(tmp_path / "whole/train.csv")]
    assert rates == pytest.approx([2e-4] * 3 + [5e-5] * 3)
    steps = []

    def failing(*arguments):
        steps.append(1)
        if len(steps) == 5:
            raise MemoryError
        return losses.inpaint_loss(*arguments)

    monkeypatch.setattr(inpainting, "inpaint_loss", failing)
    with pytest.raises(MemoryError):
        inpaint(photos, tmp_path / "half", *arguments)
    monkeypatch.setattr(inpainting, "inpaint_loss", losses.inpaint_loss)
    assert inpaint(photos, tmp_path / "half", *arguments, "--resume") == 0
    whole, half = (weights(tmp_path / folder / "last.pt") for folder in ("whole", "half"))
    assert same(whole, half)


def test_inpainting_names_what_it_cannot_use(photos, tmp_path, capsys):
    (tmp_path / "other.pth").write_bytes(b"no weights")
    assert inpaint(photos, tmp_path / "run", "--vgg", tmp_path / "other.pth") == 2
    assert "not a readable PyTorch checkpoint" in capsys.readouterr().err
    assert inpaint(photos, tmp_path / "run", "--vgg", tmp_path / "none.pth") == 2
    assert "none.pth" in capsys.readouterr().err
    for path in (photos / "images").iterdir():
        path.unlink()
    assert inpaint(photos, tmp_path / "run") == 2
    assert "contains no images" in capsys.readouterr().err


def test_holes_are_of_all_sizes_and_their_seeds():
    shares = []
    for seed in range(40):
        known = inpainting.irregular_mask((96, 64), np.random.default_rng(seed))
        again = inpainting.irregular_mask((96, 64), np.random.default_rng(seed))
        assert np.array_equal(known, again)
        assert known.shape == (64, 96)
        assert set(np.unique(known)) == {0, 255}
        shares.append((known == 0).mean())
    for seed in range(300):  # of odd sizes none lies just below the upper bound
        inpainting.irregular_mask((33, 33), np.random.default_rng(seed))
    low, high = inpainting.HOLE
    assert low <= min(shares) < 0.15
    assert 0.35 < max(shares) <= high


def test_masks_move_with_their_photos_and_borders_do_not_count():
    """The photo is its own mask, so that any difference is one of place."""
    _, mask = person(np.random.default_rng(3), (60, 40))
    sample = Sample(cv2.merge([mask] * 3), mask)
    windows = Windows([sample], (SIDE, SIDE), seed=1)
    plain = Windows([sample], (SIDE, SIDE), seed=None)
    shown = []
    for epoch in range(12):
        image, (truth, _) = windows[epoch, 0]
        assert image.shape == (3, SIDE, SIDE)
        grey = image.float().mean(0).numpy()
        if grey.std() > 40:  # there is a person in the window; colours were changed, places not
            assert np.corrcoef(grey.ravel(), truth.numpy().ravel())[0, 1] > 0.85
        shown.append(truth.numpy().tobytes())
        assert torch.equal(windows[epoch, 0][1][0], truth)
    assert len(set(shown)) > 10
    _, (truth, _) = plain[0, 0]
    assert torch.equal(plain[5, 0][1][0], truth)


@pytest.mark.parametrize("size", [(60, 40), (640, 480), (1280, 720), (3000, 1000)])
def test_what_lies_beyond_a_photo_does_not_count(size):
    mask = np.zeros(size[::-1], np.uint8)
    _, (_, valid) = Windows([Sample(cv2.merge([mask] * 3), mask)], (SIDE, SIDE), seed=None)[0, 0]
    covered = SIDE * size[1] / size[0]
    seen = np.flatnonzero(valid.numpy()[:, SIDE // 2] > 127)
    ends = (SIDE - covered) / 2, (SIDE + covered) / 2 - 1
    assert (seen[0], seen[-1]) == pytest.approx(ends, abs=1)
    part = mask + 255
    part[:, size[0] // 2 :] = 0  # a crowd
    sample = Sample(cv2.merge([mask] * 3), mask, part)
    _, (_, some) = Windows([sample], (SIDE, SIDE), seed=None)[0, 0]
    assert (some[:, : SIDE // 2 - 2] == valid[:, : SIDE // 2 - 2]).all()
    assert (some[:, SIDE // 2 + 2 :] < 128).all()


def test_scores_are_of_what_counts():
    """A photo that fills half of the window, a quarter of it wrong."""
    target = torch.zeros(1, 2, 8, 8, dtype=torch.uint8)
    target[:, 1, :4] = 255
    logits = torch.full((1, 1, 8, 8), 50.0)
    logits[:, :, :3] = -50
    assert segmentation.picture_scores(logits, target)["mad"] == pytest.approx([250], abs=0.1)


def test_pictures_stay_on_their_side_and_clips_together():
    names = [f"{n}" for n in range(200)]
    train, val = datasets.split(names, 0.2, 0, "here")
    assert sorted(train + val) == list(range(200))
    assert 20 < len(val) < 60
    more = ["extra", *names, *(f"walk-{n:05}" for n in range(30))]
    again = {more[n] for n in datasets.split(more, 0.2, 0, "here")[1]}
    assert {names[n] for n in val} == again & set(names)
    assert len([name for name in again if name.startswith("walk")]) in (0, 30)
    assert val != datasets.split(names, 0.2, 1, "here")[1]
    for share in (0.001, 0.999):  # at least one on each side
        assert all(datasets.split(names[:2], share, 0, "here"))
    assert all(datasets.split(more[-30:], 0.1, 0, "here"))  # one clip, and nothing else
    with pytest.raises(DataError, match="at least 2"):
        datasets.split(["one"], 0.5, 0, "here")


def test_style_does_not_suffer_from_half_precision():
    maps = torch.full((1, 4, 64, 64), 3.0)
    for kind in (torch.bfloat16, torch.float16):
        with torch.autocast("cpu", kind):
            found = losses.gram(maps.to(kind))
        assert found.dtype == torch.float32
        assert torch.allclose(found, torch.full((1, 4, 4), 9.0 / 4))


def test_windows_show_all_of_a_photo_at_zoom_1():
    photo = np.zeros((40, 80, 3), np.uint8)
    photo[:, :40] = 200
    whole, _ = augment.fit_whole([photo], (40, 40))
    assert np.allclose(whole[20, :19], 200, atol=2)
    assert np.allclose(whole[20, 21:], 0, atol=2)


def test_losses_by_hand():
    logits = torch.tensor([[[[0.0, 100.0], [-100.0, 3.0]]]])
    truth = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
    valid = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
    found = losses.bce_dice(logits, truth, valid)
    assert found["bce"].item() == pytest.approx(np.log(2) / 3)
    assert found["dice"].item() == pytest.approx(1 - (2 * 1.5 + 1) / (1.25 + 2 + 1))
    assert found["loss"].item() == pytest.approx(found["bce"].item() + found["dice"].item())

    out, truth, known = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4), torch.ones(1, 1, 4, 4)
    known[..., 0] = 0
    found = losses.inpaint_loss(out, truth, known, None)
    assert found["hole"].item() == pytest.approx(4 / 16)
    assert found["valid"].item() == pytest.approx(12 / 16)
    # the filled picture steps from 0 to 1 between the first two columns: 4 of 12 neighbours
    assert found["tv"].item() == pytest.approx(4 / 12)
    assert found["loss"].item() == pytest.approx(12 / 16 + 6 * 4 / 16 + 0.1 * 4 / 12)
    maps = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])
    assert torch.allclose(losses.gram(maps)[0], torch.tensor([[5.0, 11.0], [11.0, 25.0]]) / 4)
    same_maps = losses.inpaint_loss(truth, truth, known, lambda x: [x])
    assert same_maps["loss"].item() == 0
    style = losses.inpaint_loss(out, truth, known, lambda x: [x])
    # both pictures against the truth: out is 1 off everywhere, the filled one in the hole
    assert style["perceptual"].item() == pytest.approx(1 + 4 / 16)
    assert style["style"].item() == pytest.approx(16 / 48 + 4 / 48)


def test_a_file_that_differs_from_pytorch_is_not_written(tmp_path):
    class Unsure(nn.Module):
        def forward(self, x):
            return nn.functional.dropout(x, 0.5, training=True)

    case = {"image": torch.rand(1, 3, 8, 8)}
    with pytest.raises(TrainingError, match="differs from PyTorch"):
        export(Unsure(), [case], "out", {}, tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_the_checkpoint_that_was_there(tmp_path, monkeypatch):
    checkpoints.save_checkpoint(tmp_path / "last.pt", {"settings": {}, "model": {}, "step": 1})

    def full(content, file):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match=r"last\.pt: cannot be written \(No space left"):
        checkpoints.save_checkpoint(tmp_path / "last.pt", {"step": 2})
    assert checkpoints.load_checkpoint(tmp_path / "last.pt")["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("DataLoader worker (pid 1) is killed by signal: Killed. "),
    ],
)
def test_too_little_memory_is_one_line(photos, tmp_path, capsys, monkeypatch, error):
    def full(model, batch):
        raise error

    monkeypatch.setattr(segmentation, "_loss", full)
    refused(capsys, "use a smaller --batch, --size or --workers", photos, tmp_path / "run")


def test_memory_that_ends_before_the_first_step_is_one_line(photos, tmp_path, capsys, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Tiny, "to", full)
    refused(capsys, "out of memory (CUDA out of memory)", photos, tmp_path / "run")


def test_a_score_that_is_no_number_ends_the_run(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        segmentation, "picture_scores", lambda *_: {"iou": [float("nan")], "mad": [1.0]}
    )
    refused(capsys, "the iou became nan after step 1", photos, tmp_path / "run", "--steps", 1)
    assert not (tmp_path / "run/best.pt").exists()


def test_weights_to_start_with_that_are_none_are_not_to_be_deleted(photos, tmp_path, capsys):
    (tmp_path / "best.pt").write_bytes(b"no checkpoint")
    refused(
        capsys,
        "not a readable checkpoint",
        photos,
        tmp_path / "run",
        "--start",
        tmp_path / "best.pt",
    )
    assert "delete" not in capsys.readouterr().err
