"""The status report of a live run, for the page, the daemon and the metrics."""

import time
from typing import Any

from realtime_bg.processing.compositor import shows_camera
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

STAGES = ("capture", "resize", "network", "upsample", "composite", "hand-over")


def reported(live: Live, stats: Stats, running: bool, problem: str) -> dict[str, Any]:
    """See `ServerPicture.report`."""
    now, since = live.now, stats.recording_since
    return {
        "running": running,
        "problem": problem,
        "shows_camera": shows_camera(now),
        "engine": stats.engine if running else "",
        "provider": stats.provider,
        "work_size": list(stats.work_size),
        "threads": stats.threads,
        "fps": round(stats.fps, 1),
        "latency_ms": round(stats.median("latency"), 1),
        "stages_ms": {stage: round(stats.median(stage), 2) for stage in STAGES},
        "dropped": stats.dropped,
        "held": stats.held,
        "carried": stats.carried,
        "failures": stats.failures,
        "recording": since is not None,
        "recorded_seconds": 0 if since is None else round(time.monotonic() - since),
        "refused": live.refusals,
        "notice": stats.current_notice(),
    }
