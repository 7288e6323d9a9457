"""What a scraper reads at /metrics, and what its token does not open."""

import math
import os
import stat

import pytest

pytest.importorskip("fastapi")

import requests
from helpers.serving import TOKEN, served
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from realtime_bg.errors import SettingsError
from realtime_bg.stats import BOUNDS, STAGES, Stats
from realtime_bg.version import __version__
from realtime_bg.web.tokens import kept_token

SCRAPER = "s" * 43


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    with served(tmp_path_factory.mktemp("gallery"), scrape_token=SCRAPER) as client:
        yield client


def scraped(web):
    """All samples: (name, labels as a sorted tuple) -> value."""
    answer = web.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    families = list(text_string_to_metric_families(answer.text))
    assert all(family.documentation for family in families)
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in families
        for one in family.samples
    }


def value(samples, name, **labels):
    return samples[f"realtime_bg_{name}", tuple(sorted(labels.items()))]


def buckets(samples, name, **labels):
    """Upper ends in seconds -> how many runs."""
    full = f"realtime_bg_{name}_bucket"
    ours = {
        dict(pairs)["le"]: count
        for (what, pairs), count in samples.items()
        if what == full and labels.items() <= dict(pairs).items()
    }
    found = {float(end): count for end, count in ours.items()}
    assert sorted(found.values()) == [found[end] for end in sorted(found)]
    return found


def test_before_the_camera_runs_everything_is_zero(web):
    samples = scraped(web)
    assert value(samples, "info", version=__version__) == 1
    for name in ("running", "fps", "viewers", "frames_total", "starts_total"):
        assert value(samples, name) == 0
    assert not any(name == "realtime_bg_engine_info" for name, _ in samples)
    assert buckets(samples, "latency_seconds")[math.inf] == 0
    assert ("process_resident_memory_bytes", ()) in samples or os.name != "posix"


def test_while_it_runs_the_counts_grow(web):
    web.post("/api/live", json={"on": True})
    try:
        web.wait(lambda: value(scraped(web), "frames_total") > 20)
        first = scraped(web)
        assert value(first, "running") == value(first, "starts_total") == 1
        assert value(first, "fps") > 1
        about = next(dict(labels) for name, labels in first if name == "realtime_bg_engine_info")
        assert about["engine"] == "embedded"
        assert about["provider"].startswith("CPU")
        for stage in STAGES:
            runs = buckets(first, "stage_seconds", stage=stage)
            count = value(first, "stage_seconds_count", stage=stage)
            assert runs[math.inf] == count > 0
            total = value(first, "stage_seconds_sum", stage=stage)
            assert total > 0
            if runs[1.0] == count:
                assert total < count
        second = web.wait(lambda: (now := scraped(web)) != first and now)
        for key in first:
            if key[0].endswith(("_total", "_bucket", "_count", "_sum")):
                assert second[key] >= first[key], key
        known = {"Authorization": f"Bearer {TOKEN}"}
        address = f"ws://127.0.0.1:{web.port}/api/events"
        with connect(address, additional_headers=known) as events:
            events.recv(timeout=120)
            assert value(scraped(web), "viewers") == 1
    finally:
        web.post("/api/live", json={"on": False})
    last = scraped(web)
    assert value(last, "running") == 0
    web.post("/api/live", json={"on": True})
    web.post("/api/live", json={"on": False})
    assert value(scraped(web), "starts_total") == 2


def test_openmetrics_for_who_asks_for_it(web):
    kind = "application/openmetrics-text; version=1.0.0"
    answer = web.get("/metrics", headers={"Accept": kind})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    names = {family.name for family in openmetrics.text_string_to_metric_families(answer.text)}
    assert {"realtime_bg_fps", "realtime_bg_latency_seconds"} <= names


def test_the_scrapers_token_opens_nothing_else(web):
    def ask(path, method="GET", token=SCRAPER):
        headers = {"Authorization": f"Bearer {token}"}
        return requests.request(method, web.base + path, headers=headers, timeout=120).status_code

    assert ask("/metrics") == 200
    assert ask("/metrics", token=f"{SCRAPER}s") == ask("/metrics", token="") == 401
    assert ask(f"/metrics?token={TOKEN}", token="") == 401
    for path in (
        "/",
        "/api/stats",
        "/api/settings",
        "/api/live/stream",
        "/metrics/",
        "/metrics/x",
        "/metrics/../api/stats",
        "/nowhere",
    ):
        assert ask(path) == 401, path
    for method in ("POST", "PUT", "DELETE"):
        assert ask("/metrics", method) == 401
    assert ask("/api/live", "POST") == 401
    assert requests.get(f"{web.base}/?token={SCRAPER}", timeout=120).status_code == 401
    with pytest.raises(InvalidStatus):
        connect(
            f"ws://127.0.0.1:{web.port}/api/events",
            additional_headers={"Authorization": f"Bearer {SCRAPER}"},
        )


def test_without_a_scrapers_token_an_empty_one_opens_nothing(tmp_path):
    with served(tmp_path) as web:
        for token in ("Bearer", "Bearer ", "", f"Bearer {SCRAPER}"):
            headers = {"Authorization": token}
            answer = requests.get(f"{web.base}/metrics", headers=headers, timeout=120)
            assert answer.status_code == 401
        assert web.get("/metrics").status_code == 200


def test_the_text_tells_no_paths(web):
    text = web.get("/metrics").text
    assert os.path.expanduser("~") not in text
    assert "embedded.onnx" not in text


def test_a_token_is_made_once_for_this_user_alone(tmp_path, capsys):
    path = tmp_path / "new" / "token"
    token = kept_token(path)
    assert len(token) > 40
    assert kept_token(path) == token
    assert capsys.readouterr().err == ""
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o644)
        assert kept_token(path) == token
        assert "can be read by other users" in capsys.readouterr().err


@pytest.mark.parametrize("text", [b"", b"short\n", b"two words " * 9, "€".encode() * 20])
def test_a_bad_token_file_is_refused(tmp_path, text):
    path = tmp_path / "token"
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="token"):
        kept_token(path)
    with pytest.raises(SettingsError, match="token"):
        kept_token(tmp_path)


def test_a_histogram_counts_what_its_history_forgets():
    stats = Stats(history=2)
    for milliseconds in (0.5, 1.0, 1.5, 30, 5000):
        stats.add("network", milliseconds / 1000)
    counts, seconds = stats.histogram("network")
    assert dict(zip((*BOUNDS, math.inf), counts, strict=True)) == {
        bound: sum(ms <= bound for ms in (0.5, 1.0, 1.5, 30, 5000)) for bound in (*BOUNDS, math.inf)
    }
    assert seconds == pytest.approx(5.033)
    assert len(stats.milliseconds("network")) == 2
    assert stats.histogram("never") == ([0] * (len(BOUNDS) + 1), 0.0)
