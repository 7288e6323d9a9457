"""The checks of continuous integration, each in an environment of its own: `nox`, or `nox -s lint`.

In the development environment the same commands can be run directly, see .ci/run.
"""

import sys

import nox

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "format", "types", "imports", "docs", "tests"]

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
PYTORCH = "https://download.pytorch.org/whl/cpu"  # without CUDA, which the tests do not need


def install(session: nox.Session) -> None:
    """The package and everything for its development."""
    more = []
    if sys.platform == "linux":
        uv = session.venv_backend == "uv"
        more = ["--torch-backend", "cpu"] if uv else ["--extra-index-url", PYTORCH]
    session.install("-e", ".[dev]", "-c", "constraints.txt", *more)


@nox.session
def lint(session: nox.Session) -> None:
    """Rules of style and likely mistakes."""
    session.install("ruff")
    session.run("ruff", "check", *(session.posargs or ["."]))


@nox.session
def format(session: nox.Session) -> None:
    """The layout of every line; `nox -s format -- .` rewrites the files."""
    session.install("ruff")
    session.run("ruff", "format", *(session.posargs or ["--check", "."]))


@nox.session
def types(session: nox.Session) -> None:
    """Type annotations of the package, the scripts and the benchmarks."""
    install(session)
    session.run("mypy", *session.posargs)


@nox.session
def imports(session: nox.Session) -> None:
    """Rooms import only from rooms below them."""
    session.install("import-linter")
    session.run("lint-imports", env={"PYTHONPATH": "."})


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation's site, in the folder site/; a link that leads nowhere is an error."""
    project = nox.project.load_toml("pyproject.toml")["project"]
    session.install(*project["optional-dependencies"]["docs"])
    session.run("python", "scripts/build_site.py", *(session.posargs or ["site"]))


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests, on every version of Python that is installed; `nox -s tests-3.12 -- FILE`."""
    install(session)
    session.run("pytest", *session.posargs)
