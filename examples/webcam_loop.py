"""Replace the background in your own loop, with OpenCV's camera and window. Escape ends it.

python examples/webcam_loop.py # the first camera python examples/webcam_loop.py clip.mp4 # a video
file instead
"""

import sys

import cv2

import realtime_bg


def main(source: str | int = 0) -> None:
    """Show the person in ``source`` in front of a beach."""
    camera = cv2.VideoCapture(source)
    with realtime_bg.Session(order="bgr") as session:
        while (frame := camera.read()[1]) is not None and cv2.waitKey(1) != 27:
            cv2.imshow("realtime-bg", session.composite(frame, "beach"))


if __name__ == "__main__":
    main(*sys.argv[1:2])
