"""The 80 classes of COCO, and how detectors number them."""

from realtime_bg.errors import EngineError

NAMES = (
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "airplane",
    "bus",
    "train",
    "truck",
    "boat",
    "traffic light",
    "fire hydrant",
    "stop sign",
    "parking meter",
    "bench",
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "giraffe",
    "backpack",
    "umbrella",
    "handbag",
    "tie",
    "suitcase",
    "frisbee",
    "skis",
    "snowboard",
    "sports ball",
    "kite",
    "baseball bat",
    "baseball glove",
    "skateboard",
    "surfboard",
    "tennis racket",
    "bottle",
    "wine glass",
    "cup",
    "fork",
    "knife",
    "spoon",
    "bowl",
    "banana",
    "apple",
    "sandwich",
    "orange",
    "broccoli",
    "carrot",
    "hot dog",
    "pizza",
    "donut",
    "cake",
    "chair",
    "couch",
    "potted plant",
    "bed",
    "dining table",
    "toilet",
    "tv",
    "laptop",
    "mouse",
    "remote",
    "keyboard",
    "cell phone",
    "microwave",
    "oven",
    "toaster",
    "sink",
    "refrigerator",
    "book",
    "clock",
    "vase",
    "scissors",
    "teddy bear",
    "hair drier",
    "toothbrush",
)
# COCO's annotations use the numbers 1 to 90 without these; torchvision keeps that numbering.
GAPS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
SPARSE = tuple(number for number in range(1, 91) if number not in GAPS)


def indices(names: tuple[str, ...], sparse: bool) -> set[int]:
    """The class indices of ``names``: torchvision's 1..90 if ``sparse``, otherwise 0..79.

    Raises EngineError for a name that is not a COCO class and suggests the closest one.
    """
    from difflib import get_close_matches

    numbers = set()
    for name in names:
        if name not in NAMES:
            near = get_close_matches(name, NAMES, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"they are: {', '.join(NAMES)}"
            raise EngineError(f"{name!r} is not a class of COCO; {hint}")
        index = NAMES.index(name)
        numbers.add(SPARSE[index] if sparse else index)
    return numbers
