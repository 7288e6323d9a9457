"""`realtime-bg config`, and the values that the shell completes."""

import json

import pytest
import yaml

from realtime_bg.cli import completion
from realtime_bg.cli import main as cli
from realtime_bg.engines import ENGINES
from realtime_bg.settings import Settings, default_config, load
from realtime_bg.settings.template import FIRST_LINE, schema, template


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    """Run the program: exit code, stdout, stderr."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr("sys.argv", ["realtime-bg", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capfd.readouterr()

    return run


def test_the_file_that_init_writes_has_every_default_and_is_never_overwritten(command, tmp_path):
    code, out, err = command("config", "init")
    assert (code, err) == (0, "")
    path = default_config()
    assert str(path) in out
    assert path.read_text() == FIRST_LINE + template()
    assert load(path) == Settings()
    assert json.loads((path.parent / "config.schema.json").read_text()) == schema()
    path.write_text("view: {stats: true}\n")
    code, _, err = command("config", "init")
    assert code == 2
    assert "already exists; give --overwrite" in err
    assert path.read_text() == "view: {stats: true}\n"
    assert command("config", "init", "--overwrite")[0] == 0
    assert load(path) == Settings()
    assert command("config", "init", "mine.yaml")[0] == 0
    assert load(tmp_path / "mine.yaml") == Settings()


def test_show_prints_what_would_be_used(command, tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text("source: {spec: 'rtsp://me:secret@cam/1'}\n")
    monkeypatch.setenv("REALTIME_BG_REFINE__FEATHER", "7")
    code, out, _ = command("config", "show", "--config", "mine.yaml")
    shown = yaml.safe_load(out)
    assert code == 0
    assert shown["refine"]["feather"] == 7
    assert shown["source"]["spec"].endswith("@cam/1")
    assert "secret" not in out
    monkeypatch.delenv("REALTIME_BG_REFINE__FEATHER")
    assert yaml.safe_load(command("config", "show")[1]) == Settings().model_dump(mode="json")


def test_path_and_schema(command):
    assert command("config", "path")[1] == f"{default_config()}\n"
    printed = json.loads(command("config", "schema")[1])
    assert printed == schema()
    assert printed["$defs"]["RefineSettings"]["properties"]["feather"]["maximum"] == 64


@pytest.mark.parametrize(
    ("words", "typed", "expected"),
    [
        (completion.engines, "em", ["embedded"]),
        (completion.backgrounds, "b", ["beach", "blur"]),
        (completion.models, "mediapipe-", ["mediapipe-landscape", "mediapipe-selfie"]),
        (completion.toggles, "view.s", ["view.stats", "view.split"]),
        (completion.toggles, "pau", ["paused"]),
        (completion.changes, "refine.fe", ["refine.feather="]),
        (completion.changes, "output.mirror=", ["output.mirror=true", "output.mirror=false"]),
        (
            completion.changes,
            "background.fit=c",
            ["background.fit=cover", "background.fit=contain"],
        ),
        (completion.changes, "refine.feather=", []),
        (completion.changes, "no.such=", []),
    ],
)
def test_values_are_completed(words, typed, expected):
    assert sorted(words(typed)) == sorted(expected)


def test_every_engine_is_completed():
    assert set(completion.engines("")) <= {"auto", *ENGINES}
    assert {"auto", "embedded", "rvm"} <= set(completion.engines(""))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("realtime-bg run --engine em", "embedded"),
        ("realtime-bg image --background off", "office"),
        ("realtime-bg ctl toggle output.mir", "output.mirror"),
        ("realtime-bg models path yu", "yunet"),
        ("realtime-bg con", "config"),
    ],
)
def test_the_shell_gets_them(command, monkeypatch, line, expected):
    monkeypatch.setenv("_REALTIME_BG_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - 1))
    assert command()[1].split() == [expected]
