"""Train a person segmentation network, and export it for `--engine semantic`.

    python scripts/train_segmentation.py --arch unet --data folder:photos --out runs/unet
    python scripts/train_segmentation.py --arch fcdensenet103 --data coco:coco --epochs 30
    realtime-bg --engine semantic --model runs/unet/unet.onnx

Data: folder:ROOT has images/ and masks/ with the same names; masks are greyscale, white is person.
coco:ROOT has train2017/, val2017/ (or images/train2017/ ...) and annotations/, as unpacked from
COCO's train2017.zip, val2017.zip and annotations_trainval2017.zip; photos without a person are left
out, and regions marked as a crowd are ignored.

The folder --out gets last.pt (for --resume), best.pt (the best IoU on the validation photos),
train.csv, val.csv (and TensorBoard's files if it is installed), ARCH.onnx and ARCH.yaml, its row
for models.yaml. See docs/training.md for details. Needs: pip install "realtime-bg[train]" (for
deeplabv3 and COCO; otherwise the extra "torch" is enough).
"""

import argparse
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    try:
        from realtime_bg.training import command
        from realtime_bg.training.segmentation import ARCHS
    except ModuleNotFoundError as missing:
        print(
            f'{missing.name} is not installed; run: pip install "realtime-bg[train]"',
            file=sys.stderr,
        )
        return 2
    defaults = [
        f"  {name:<15}--size {'x'.join(map(str, row.size))} --batch {row.batch} --lr {row.lr:g}"
        for name, row in ARCHS.items()
    ]
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="\n".join(["defaults by --arch:", *defaults]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--arch", choices=ARCHS, required=True)
    parser.add_argument(
        "--data",
        required=True,
        action="append",
        metavar="coco:ROOT|folder:ROOT|cutouts:ROOT",
        help="repeat to join datasets; folder:ROOT*4 shows each photo four times per epoch",
    )
    parser.add_argument(
        "--width",
        type=command.number(int, 1),
        default=64,
        help="channels of unet's first level (default %(default)s)",
    )
    parser.add_argument(
        "--start", type=Path, metavar="FILE", help="start from the weights in another run's best.pt"
    )
    parser.add_argument(
        "--teacher",
        type=Path,
        metavar="FILE",
        help="embedded: RVM's weights, whose features are distilled",
    )
    parser.add_argument(
        "--from-scratch", action="store_true", help="train deeplabv3 without torchvision's weights"
    )
    command.add_options(parser, out="runs/segmentation", epochs=50)
    return command.guarded(train, parser.parse_args(arguments))


def train(options: argparse.Namespace) -> None:
    """Train and export. Raises RealtimeBgError, and KeyboardInterrupt after a request to stop."""
    from realtime_bg.errors import SettingsError
    from realtime_bg.training import command
    from realtime_bg.training.datasets import fingerprint, open_all
    from realtime_bg.training.segmentation import ARCHS, make_task

    arch = ARCHS[options.arch]
    options.size = options.size or arch.size
    options.batch = options.batch or arch.batch
    options.lr = options.lr or arch.lr
    network = {}
    if options.arch == "unet":
        network["width"] = options.width
    if options.arch == "deeplabv3":  # a resumed run loads its own weights
        network["pretrained"] = not (options.from_scratch or options.resume)
    photos = open_all(options.data, options.val, options.seed)
    run = command.make_run(
        options,
        {
            "arch": options.arch,
            "width": options.width,
            "teacher": options.teacher is not None,
            "photos": fingerprint(*(part.names for part in photos)),
        },
    )
    if options.arch == "deeplabv3" and min(options.batch, len(photos[0])) < 2:
        raise SettingsError("deeplabv3 needs at least 2 photos in a batch; raise --batch")
    more = {}
    if options.arch == "embedded":
        more = {"teacher": options.teacher, "pretrained": not (options.start or options.resume)}
    task = make_task(arch, network, options.size, options.seed, *photos, options.start, **more)
    command.train_and_export(task, run, options.arch)


if __name__ == "__main__":
    sys.exit(main())
