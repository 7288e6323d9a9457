"""Checks the model files: which are installed, and whether their hashes are as published."""

from collections.abc import Iterator

from realtime_bg import zoo
from realtime_bg.doctor.findings import Finding, Machine, Needs
from realtime_bg.settings import Settings

AUTO = "rvm"  # the first choice of the engine `auto`


def weights(_: Machine, settings: Settings, __: Needs) -> Iterator[Finding]:
    """Report each installed file with its hash, and the model that the engine lacks."""
    own = AUTO if settings.engine.name == "auto" else settings.engine.name
    here: set[str] = set()
    for model in zoo.models().values():
        path = zoo.find(model)
        if path is None:
            continue
        here.add(model.engine)
        text, digest = f"{model.name} ({model.licence}): {path}", zoo.digest(path)
        data = {"path": str(path), "sha256": digest, "published": model.sha256}
        if model.sha256 is None:
            yield Finding(
                model.name,
                "ok",
                f"{text}, SHA-256 {digest[:12]}, no published hash to compare with",
                data=data,
            )
        elif digest == model.sha256:
            yield Finding(model.name, "ok", f"{text}, as published", data=data)
        else:
            fix = f"delete it, then: realtime-bg models fetch --force {model.name}"
            yield Finding(model.name, "fault", f"{text} differs from the published file", fix, data)
    rows = [model for model in zoo.models().values() if model.engine == own]
    if own not in here and rows and settings.engine.model is None:
        instead = "; embedded is used instead" if settings.engine.name == "auto" else ""
        yield Finding(
            rows[0].name,
            "note",
            f"{rows[0].name}: not installed{instead}",
            f"realtime-bg models fetch {rows[0].name}",
        )
