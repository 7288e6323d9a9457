"""The video room of the page in a real browser."""

import av
import pytest


@pytest.fixture(scope="module")
def clips(demo, tmp_path_factory):
    """Two short clips, and one that takes a while."""
    folder = tmp_path_factory.mktemp("clips")
    made = []
    for name, frames in (("one.mp4", 6), ("two.mp4", 5), ("long.mp4", 900)):
        with av.open(str(folder / name), "w") as container:
            video = container.add_stream("h264", rate=10, width=320, height=180, pix_fmt="yuv420p")
            pictures = [demo.image(index * 3) for index in range(min(frames, 6))]
            for index in range(frames):
                frame = av.VideoFrame.from_ndarray(pictures[index % len(pictures)], format="bgr24")
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        made.append(folder / name)
    return made


@pytest.fixture
def videos(page):
    yield page.open("video")
    for job in page.web.get("/api/jobs").json():
        page.web.delete(f"/api/jobs/{job['id']}")


def states(page):
    items = "return [...document.querySelectorAll('#jobs li')].map((item) => item.dataset.state)"
    return page.driver.execute_script(items)


def button(page, text):
    return next(one for one in page.all("#jobs button, #jobs a") if one.text == text)


def test_videos_are_converted_under_their_own_names(videos, clips, tmp_path):
    page = videos
    page("#video-file").send_keys(f"{clips[0]}\n{clips[1]}")
    assert page("#convert").text == "Convert 2 videos"
    page("#convert").click()
    page.wait(lambda: states(page) == ["done", "done"])
    assert not page("#convert-bar").is_displayed()
    item = page.all("#jobs li")[-1]  # the first that was sent
    assert item.find_element("tag name", "b").text == "one-cut-out.webm"
    assert "kept until" in item.find_element("css selector", ".state").text
    page.wait(lambda: page.pixel("#jobs .still", 0.5, 0.5))
    link = item.find_element("tag name", "a")
    assert link.get_attribute("download") == "one-cut-out.webm"
    answer = page.web.get(link.get_attribute("href").removeprefix(page.web.base))
    (tmp_path / "result.webm").write_bytes(answer.content)
    with av.open(str(tmp_path / "result.webm")) as container:
        assert len(list(container.decode(video=0))) == 6
    for left in (1, 0):
        button(page, "Delete").click()
        page.wait(lambda left=left: len(page.all("#jobs li")) == left)


def test_progress_cancel_and_another_try(videos, clips):
    page = videos
    page.background("video", "studio").click()
    page("#video-file").send_keys(str(clips[2]))
    page("#convert").click()
    page.wait(lambda: "of 900 frames" in page("#jobs").text)
    page.wait(lambda: "left" in page("#jobs .state").text)
    page.wait(lambda: "/preview" in page("#jobs .still").get_attribute("src"))
    page.wait(lambda: page.pixel("#jobs .still", 0.02, 0.05))
    button(page, "Cancel").click()
    page.wait(lambda: states(page) == ["cancelled"])
    assert "left" not in page("#jobs .state").text
    assert not page.all("#jobs progress")
    button(page, "Try again as before").click()
    page.wait(lambda: states(page) == ["running"])
    button(page, "Cancel").click()
    page.wait(lambda: states(page) == ["cancelled"])


def test_what_is_no_video_is_said_beside_its_name(videos, tmp_path):
    page = videos
    (tmp_path / "notes.mp4").write_text("no video")
    page("#video-file").send_keys(str(tmp_path / "notes.mp4"))
    page("#convert").click()
    message = page.wait(lambda: page("#message").text)
    assert message.startswith("notes.mp4: ")
    assert page("#chosen-videos").text.startswith("notes.mp4")  # still there, to be replaced
    page("#chosen-videos button").click()
    assert not page("#convert-bar").is_displayed()
