"""Random text as config.yaml: settings, or one line that says what is wrong."""

import pytest
import yaml
from helpers import ROOT
from helpers.fuzzing import JSON, bounded
from hypothesis import given
from hypothesis import strategies as st

from realtime_bg.errors import SettingsError
from realtime_bg.settings import Settings, flattened, load

KEYS = sorted(flattened(Settings().model_dump()))
OWN = (ROOT / "config.yaml").read_text(encoding="utf-8").splitlines()


def tried(path, data):
    path.write_bytes(data)
    said = f"{path}"
    try:
        load(path)
    except SettingsError as error:
        said = str(error)
    assert "\n" not in said
    assert str(path) in said


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config.yaml"


def test_random_text(path):
    signs = st.text(st.sampled_from("ab:-[]{}#&*!|>'\"%@`?,0.1~\\ \n\t\r\x00é\ufeff"), max_size=60)

    @bounded(200)
    @given(st.one_of(signs, st.text(max_size=60)))
    def load_text(text):
        tried(path, text.encode("utf-8", "surrogatepass"))

    load_text()


def test_random_bytes(path):
    @bounded(100)
    @given(st.binary(max_size=100))
    def load_bytes(data):
        tried(path, data)

    load_bytes()


def test_random_values_of_real_keys(path):
    @bounded(200)
    @given(st.dictionaries(st.sampled_from(KEYS), JSON, min_size=1, max_size=3))
    def load_values(values):
        tree = {}
        for key, value in values.items():
            *sections, name = key.split(".")
            place = tree
            for section in sections:
                place = place.setdefault(section, {})
                if not isinstance(place, dict):
                    return
            place[name] = value
        tried(path, yaml.safe_dump(tree).encode("utf-8", "surrogatepass"))

    load_values()


def test_the_repositorys_file_with_other_lines(path):
    lines = st.integers(0, len(OWN) - 1)

    @bounded(100)
    @given(lines, lines, st.text(max_size=12))
    def load_changed(at, other, text):
        changed = OWN[:]
        changed[at] = changed[other][: len(text)] + text
        tried(path, "\n".join(changed).encode("utf-8", "surrogatepass"))

    load_changed()
