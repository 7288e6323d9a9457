"""What the program requires, and the commands that add packages to it where it is installed: with
pip, pipx or uv.

pipx and uv are given the packages of an extra, because with the extra's name they would look for
the program itself in an index.
"""

import json
import shlex
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from packaging.requirements import Requirement

NAME = "realtime-bg"
APP_ID = "io.github.realtime_bg.realtime_bg"  # of its desktop entry
PLACE = Path(__file__).parents[1]
DEB_MARK = "installed-as-deb"  # a file beside the program in its Debian package


def requirements(extra: str = "", package: str = NAME) -> list["Requirement"]:
    """What the program, or another ``package``, requires on this machine, or what ``extra`` adds to
    that. Nothing if it is not installed, as when the program runs from a clone."""
    from packaging.requirements import Requirement  # needed rarely

    try:
        needs = [Requirement(line) for line in metadata.requires(package) or []]
    except metadata.PackageNotFoundError:
        return []

    def applies(need: Requirement, extra: str) -> bool:
        return need.marker is None or need.marker.evaluate({"extra": extra})

    return [need for need in needs if applies(need, extra) and not (extra and applies(need, ""))]


def installed_version(package: str) -> str:
    """The version of a package, or an empty string if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def add_extra(extra: str) -> str:
    """The command that installs an extra."""
    if _is_pipx():
        return f"pipx inject {NAME} {_words(_packages(extra))}"
    if _is_uv_tool():
        # A tool is installed anew: what was added to it earlier has to be named again.
        extras = {name for name in _extras() if name == extra or _is_complete(name)}
        packages = sorted({name for each in extras for name in _packages(each)})
        return f"uv tool install --with {shlex.quote(','.join(packages))} {_origin()}"
    if _is_deb():
        return pip(f"install {_words(_packages(extra))}")
    return pip(f'install "{NAME}[{extra}]"')


def pip(arguments: str) -> str:
    """The command of pip for the place where the program is installed."""
    if _is_deb():  # all is in one folder, which belongs to root
        return f"sudo python3 -m pip {arguments} --target {PLACE}"
    if _is_pipx():
        return f"pipx runpip {NAME} {arguments}"
    folder = Path(sys.executable).parent
    own = shutil.which("pip", path=str(folder))
    if own is None or _is_uv_tool():  # uv's environments have no pip
        python = shlex.quote(sys.executable)
        verb, _, rest = arguments.partition(" ")
        return f"uv pip {verb} --python {python} {rest}"
    usual = shutil.which("pip")
    if usual is not None and Path(usual).parent == folder:
        return f"pip {arguments}"
    return f"{shlex.quote(own)} {arguments}"


def _is_pipx() -> bool:
    return (Path(sys.prefix) / "pipx_metadata.json").is_file()


def _is_deb() -> bool:
    return (PLACE / DEB_MARK).is_file()


def _is_uv_tool() -> bool:
    return (Path(sys.prefix) / "uv-receipt.toml").is_file()


def _packages(extra: str) -> list[str]:
    return [str(need).partition(";")[0].strip() for need in requirements(extra)]


def _extras() -> list[str]:
    try:
        return metadata.metadata(NAME).get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        return []


def _is_complete(extra: str) -> bool:
    needs = requirements(extra)
    return bool(needs) and all(installed_version(need.name) for need in needs)


def _words(packages: list[str]) -> str:
    return " ".join(shlex.quote(name) for name in packages)


def _origin() -> str:
    """What the program was installed from: a folder, or its name in an index."""
    try:
        text = metadata.distribution(NAME).read_text("direct_url.json")
        url = str(json.loads(text or "{}").get("url", ""))
    except (metadata.PackageNotFoundError, ValueError):
        url = ""
    path = unquote(urlsplit(url).path) if url.startswith("file:") else url
    return shlex.quote(path) if path else NAME
