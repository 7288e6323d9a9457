"""A loop of your own: OpenCV's camera, a session, OpenCV's window. Escape ends it.

python examples/webcam_loop.py            # the first camera
python examples/webcam_loop.py clip.mp4   # a file in its place
"""

import sys

import cv2

import realtime_bg


def main(source: str | int = 0) -> None:
    """Show the person of ``source`` before a beach."""
    camera = cv2.VideoCapture(source)
    with realtime_bg.Session(order="bgr") as session:
        while (frame := camera.read()[1]) is not None and cv2.waitKey(1) != 27:
            cv2.imshow("realtime-bg", session.composite(frame, "beach"))


if __name__ == "__main__":
    main(*sys.argv[1:2])
