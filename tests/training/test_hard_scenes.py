"""Scenes of the kinds that networks find hard: whatever is done, the alpha says who is there."""

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from realtime_bg.training import hard_scenes
from realtime_bg.training.hard_scenes import KINDS, hard_scene, limbs_out, splines

SIZE = 128, 72


@pytest.fixture(scope="module")
def person():
    """Somebody red with the arms held out, before blue, and the mask."""
    mask = np.zeros((300, 280), np.uint8)
    cv2.circle(mask, (140, 45), 25, 255, -1)
    mask[65:300, 110:170] = 255
    mask[85:105, 20:260] = 255
    image = np.where(mask[..., None] > 0, (20, 20, 230), (230, 200, 20)).astype(np.uint8)
    return image, mask


@pytest.fixture(scope="module")
def other():
    """A green photo without people."""
    return np.full((200, 300, 3), (40, 200, 40), np.uint8), np.zeros((200, 300), np.uint8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [False, True])
def test_colour_and_alpha_agree(person, other, kind, cut):
    agreeing = tried = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        picture, alpha = hard_scene(kind, *person, other, SIZE, rng, cut)
        assert (picture.shape, picture.dtype) == ((72, 128, 3), np.uint8)
        assert (alpha.shape, alpha.dtype) == ((72, 128), np.float32)
        assert 0 <= alpha.min() <= alpha.max() <= 1
        red = picture[..., 2].astype(int) - picture[..., :2].max(2)
        if 0.004 < (alpha > 0.95).mean() < 0.98 and (alpha < 0.05).any():
            agreeing += np.median(red[alpha > 0.95]) > np.median(red[alpha < 0.05])
            tried += 1
    assert tried >= 6
    assert agreeing >= 0.75 * tried  # colours vary, and faces are hidden


def test_limbs_are_held_out_further_and_the_body_stays(person):
    image, mask = person
    reach = []
    for seed in range(12):
        warped, theirs = limbs_out(image, mask, np.random.default_rng(seed))
        assert warped.shape[:2] == theirs.shape
        red = warped[..., 2].astype(int) - warped[..., 0]
        assert np.median(red[theirs > 250]) > 200
        assert red[theirs > 250].min() > 0
        columns = np.flatnonzero((theirs > 127).any(0))
        reach.append(np.ptp(columns))
        trunk = np.count_nonzero((theirs > 127).sum(1) > 50)
        assert abs(trunk - np.count_nonzero((mask > 127).sum(1) > 50)) < 60
    assert np.median(reach) > 1.15 * np.ptp(np.flatnonzero(mask.any(0)))


def test_who_holds_out_nothing_stays_as_he_is(person):
    image, mask = person
    post = np.zeros_like(mask)
    post[20:280, 100:180] = 255
    for one in (post, np.zeros_like(mask)):
        _, theirs = limbs_out(image, one, np.random.default_rng(1))
        assert theirs.sum() == one.sum()


def test_splines_go_through_their_points_and_bend_only_where_they_must():
    rng = np.random.default_rng(3)
    places = rng.uniform(0, 100, (12, 2))
    turned = places @ [[0.8, 0.6], [-0.6, 0.8]] + 5
    x, y = splines(places, turned, (112, 96))
    assert x.shape == y.shape == (96, 112)
    at = np.mgrid[:96, :112].reshape(2, -1)[::-1].T @ [[0.8, 0.6], [-0.6, 0.8]] + 5
    assert np.abs(np.stack([x, y], -1).reshape(-1, 2) - at).max() < 0.05  # an affine map is no bend
    moved = turned.copy()
    moved[0] += 8
    x, y = splines(places, moved, (112, 96))
    column, row = np.rint(places[0]).astype(int)
    assert abs(x[row, column] - moved[0, 0]) < 1.5
    assert abs(y[row, column] - moved[0, 1]) < 1.5


def test_the_same_seed_is_the_same_scene(person, other):
    for kind in KINDS:
        one, again = (
            hard_scene(kind, *person, other, SIZE, np.random.default_rng(5)) for _ in range(2)
        )
        assert np.array_equal(one[0], again[0])
        assert np.array_equal(one[1], again[1])


def test_arms_are_in_the_picture(person, other):
    for seed in range(8):
        _, alpha = hard_scene("arms", *person, other, SIZE, np.random.default_rng(seed))
        columns = np.flatnonzero((alpha > 0.5).any(0))
        body = np.flatnonzero((alpha > 0.5).sum(0) > 0.5 * (alpha > 0.5).any(1).sum())
        assert columns[-1] - columns[0] > 2.5 * max(1, np.ptp(body))


def test_close_people_fill_more_of_the_picture(person, other):
    def share(kind):
        scenes = (
            hard_scene(kind, *person, other, SIZE, np.random.default_rng(n)) for n in range(20)
        )
        return np.mean([(alpha > 0.5).mean() for _, alpha in scenes])

    assert share("close") > 1.5 * share("touching")


def test_who_enters_touches_an_edge(person, other):
    for seed in range(12):
        _, alpha = hard_scene("entering", *person, other, SIZE, np.random.default_rng(seed))
        person_at = alpha > 0.5
        edges = (
            person_at[0].any(),
            person_at[-1].any(),
            person_at[:, 0].any(),
            person_at[:, -1].any(),
        )
        assert any(edges), seed


def test_the_head_is_one_person_s_in_a_group(person):
    _, mask = person
    x, y, across, down = hard_scenes.head_of(mask)
    assert abs(x - 140) < 3
    assert abs(y - 50) < 8
    assert 18 < across < 30
    assert 20 < down < 40
    group = np.zeros((340, 700), np.uint8)
    for left, top in ((0, 40), (210, 0), (420, 30)):  # arm in arm
        part = group[top : top + 300, left : left + 280]
        np.maximum(part, mask, out=part)
    x, y, across, down = hard_scenes.head_of(group)
    assert abs(x - 350) < 3
    assert abs(y - 50) < 8
    assert across < 30
    assert down < 40


def test_a_mask_without_a_person_has_a_head_somewhere():
    x, y, across, down = hard_scenes.head_of(np.zeros((50, 80), np.uint8))
    assert 0 <= x <= 80
    assert 0 <= y <= 50
    assert across >= 2
    assert down >= 2


@pytest.mark.parametrize("hide", [hard_scenes.without_face, hard_scenes.patched])
def test_faces_are_hidden_and_the_rest_stays(person, hide):
    image, mask = person
    face = image.copy()
    face[35:60, 125:155] = (150, 190, 240)
    hidden = [hide(face, mask, np.random.default_rng(seed)) for seed in range(6)]
    for picture in hidden:
        assert np.array_equal(picture[150:], face[150:])
    changed = [
        np.abs(picture[40:52, 132:148].astype(int) - face[40:52, 132:148]).mean()
        for picture in hidden
    ]
    assert np.median(changed) > 20


def test_things_touch_the_outline_and_belong_to_the_room(person):
    behind = np.full((72, 128, 3), 90, np.uint8)
    alpha = np.zeros((72, 128), np.float32)
    alpha[20:, 40:80] = 1
    near = cv2.dilate(alpha, np.ones((5, 5)))
    for seed in range(6):
        room = hard_scenes.with_things(behind, alpha, person[0], np.random.default_rng(seed))
        there = (room != behind).any(2)
        assert there.any()
        assert (there & (near > 0)).any()
    nobody = hard_scenes.with_things(
        behind, np.zeros_like(alpha), person[0], np.random.default_rng(0)
    )
    assert np.array_equal(nobody, behind)


@pytest.mark.parametrize("room", [hard_scenes.wood, hard_scenes.skin_coloured])
@pytest.mark.parametrize("size", [(128, 72), (72, 128), (64, 64)])
def test_rooms_have_the_size_and_something_in_them(room, size):
    for seed in range(4):
        image = room(size, np.random.default_rng(seed))
        assert (image.shape, image.dtype) == ((size[1], size[0], 3), np.uint8)
        assert image.std() > 2
        assert image[..., 2].mean() > image[..., 0].mean()  # warm
