"""Train a partial-convolution network for image inpainting (Liu et al. 2018).

    python scripts/train_inpaint.py --data folder:rooms --out runs/inpaint

Data: folder:ROOT has images in images/, or is itself a folder of images. The holes are random:
strokes and blobs over 5 to 50 % of the image. In the last fifth of the steps (--finetune) the
encoder's batch norms are frozen and the learning rate is a quarter.

The perceptual and style losses need the VGG-16 weights published by torchvision
(vgg16-397923af.pth), given with --vgg or in PyTorch's cache. Otherwise these two losses are left
out.

The folder --out gets last.pt (for --resume), best.pt (the highest PSNR in the holes of the
validation images), train.csv, val.csv, inpaint.onnx and inpaint.yaml. The ONNX file takes `image`
(1, 3, H, W), RGB in 0..1, and `mask` (1, 1, H, W), 1 where the image is known, of any size, and
returns `filled` (1, 3, H, W). See docs/training.md for details. Needs: pip install
"realtime-bg[torch]".
"""

import argparse
import sys
from pathlib import Path

VGG = "vgg16-397923af.pth"
VGG_URL = f"https://download.pytorch.org/models/{VGG}"


def main(arguments: list[str] | None = None) -> int:
    try:
        from realtime_bg.training import command
    except ModuleNotFoundError as missing:
        print(
            f'{missing.name} is not installed; run: pip install "realtime-bg[torch]"',
            file=sys.stderr,
        )
        return 2
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, metavar="folder:ROOT")
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="the VGG-16 weights")
    parser.add_argument(
        "--finetune",
        type=command.number(float, 0, 1),
        default=0.2,
        help="fraction of the steps in stage two (default %(default)s)",
    )
    parser.add_argument(
        "--width",
        type=command.number(int, 1),
        default=64,
        help="channels of the first level (default %(default)s)",
    )
    parser.add_argument(
        "--levels",
        type=command.number(int, 1, 8),
        default=8,
        help="number of times the resolution is halved (default %(default)s)",
    )
    command.add_options(parser, out="runs/inpaint", epochs=50)
    parser.set_defaults(size=(512, 512), batch=6, lr=2e-4)
    return command.guarded(train, parser.parse_args(arguments))


def train(options: argparse.Namespace) -> None:
    """Train and export. Raises RealtimeBgError, and KeyboardInterrupt after a request to stop."""
    import torch

    from realtime_bg.networks.partial_conv import PartialConvUNet
    from realtime_bg.networks.vgg16 import load_vgg16
    from realtime_bg.system.console import say
    from realtime_bg.training import command
    from realtime_bg.training.datasets import fingerprint
    from realtime_bg.training.inpainting import inpaint_task, open_pictures
    from realtime_bg.training.labelled import data_root

    _, root = data_root(options.data, ("folder",))
    pictures = open_pictures(root, options.val, options.seed)
    vgg = options.vgg or Path(torch.hub.get_dir()) / "checkpoints" / VGG
    features = load_vgg16(vgg) if options.vgg or vgg.is_file() else None
    if features is None:
        say(
            f"without the VGG-16 weights the perceptual and style losses are left out; put "
            f"{VGG_URL} at {vgg}, or give the file with --vgg"
        )
    own = {"levels": options.levels, "width": options.width}
    names = [[path.name for path in part] for part in pictures]
    run = command.make_run(
        options,
        own
        | {
            "finetune": options.finetune,
            "vgg": bool(features),
            "pictures": fingerprint(*names),
        },
    )
    torch.manual_seed(options.seed)
    model = PartialConvUNet(**own)
    task = inpaint_task(model, options.size, options.seed, options.finetune, *pictures, features)
    command.train_and_export(task, run, "inpaint")


if __name__ == "__main__":
    sys.exit(main())
