"""The faults that are put into the code, and whether a made-up package's tests notice them."""

import ast
import sys
import textwrap

import pytest
from helpers import ROOT

sys.path.insert(0, str(ROOT / "scripts"))  # as Python does for a script
import _mutants
from _mutants import mutants
from mutate import ROOMS, Room, chosen_tests, copied, drawn, survivors

ROOM = Room(("made/*.py",), ("tests/test_{name}.py", "tests/gone.py"))
CODE = '''
"""Says "larger"."""

LEAST = 3


def is_enough(count: int, twice: bool = False) -> bool:
    """Whether it is enough."""
    count = count * 2 if twice else count
    return count >= LEAST
'''
TESTS = """
from made.counting import is_enough


def test_three_are_enough():
    assert is_enough(3)
    assert not is_enough(2)
"""


def faults(tmp_path, code):
    """The changes of some code, one line each."""
    path = tmp_path / "code.py"
    path.write_text(textwrap.dedent(code))
    found = mutants(path, "code.py")
    for one in found:
        ast.parse(one.applied(path.read_bytes()))  # each is Python
    return [one.change for one in found]


@pytest.fixture
def package(tmp_path):
    root = tmp_path / "made-up"
    for name, text in (("made/counting.py", CODE), ("tests/test_counting.py", TESTS)):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(text)
    (root / ".git").mkdir()
    (root / "own-venv").mkdir()
    (root / "own-venv/pyvenv.cfg").touch()
    return root


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("a < b", ["a < b -> (a <= b)", "a < b -> (a > b)"]),
        ("a is not None", ["a is not None -> (a is None)"]),
        ("a and b", ["a and b -> (a or b)", "a and b -> (b)", "a and b -> (a)"]),
        ("a - b", ["a - b -> (a + b)"]),
        ("not a", ["not a -> (a)"]),
        ("b = -a", ["-a -> (a)"]),
        ("b = 0.5", ["0.5 -> (1.0)"]),
        ("b = 0.0", ["0.0 -> (1.0)"]),
        ("b = 7", ["7 -> (8)"]),
        ("b = 'x' 'y'", ["'xy' -> ('xyx')"]),
        ("b = a if c else d", ["a if c else d -> (d if c else a)"]),
        ("a += b", ["a += b -> a -= b", "a += b -> pass"]),
        ("forget(a)", ["forget(a) -> pass"]),
        ("a.b = c", ["a.b = c -> pass"]),
        ("a = b", []),
        ("if a:\n    b()", ["a -> (not a)", "b() -> pass"]),
        ("for a in b:\n    continue", ["continue -> pass"]),
        ("def f(a=True): return a", ["True -> (False)", "return a -> return None"]),
        ("def f(): return None", []),
        ("raise Wrong('too small')", ["raise Wrong('too small') -> pass"]),
    ],
)
def test_each_kind_of_fault(tmp_path, code, expected):
    assert sorted(faults(tmp_path, code)) == sorted(expected)


@pytest.mark.parametrize(
    "code",
    [
        '"""A docstring."""',
        'def f():\n    """A docstring."""',
        "__all__ = ['f']",
        "log.warning('%s failed, using %s', a + b, 3)",
        "stats.notice('failed')",
        "def f(a: 'int | None' = None) -> 'list[int]': ...",
        "a: dict[str, 'int'] = b",
        "Size: TypeAlias = tuple[int, Literal[3]]",
        "a = f'{b:.2f} and {c + 1}'",
        "assert a is not None",
        "a = Thread(target=b, name='reader', daemon=True)",
        "for a, b in zip(c, d, strict=True): ...",
        "from a import b",
        "@dataclass(frozen=True)\nclass A: ...",
        "class A:\n    def __init__(self, b): self.b = b",
    ],
)
def test_what_changes_no_behaviour_is_left_alone(tmp_path, code):
    assert faults(tmp_path, code) == []


def test_places_are_right_behind_letters_of_several_bytes(tmp_path):
    path = tmp_path / "code.py"
    path.write_text("name = 'ä'; b = (\n    1 +\n    c)\n", encoding="utf-8")
    applied = [one.applied(path.read_bytes()).decode() for one in mutants(path, "code.py")]
    assert applied == [
        "name = ('äx'); b = (\n    1 +\n    c)\n",
        "name = 'ä'; b = (\n    (2) +\n    c)\n",
        "name = 'ä'; b = (\n    (1 - c))\n",
    ]


def test_what_is_known_to_make_no_difference_is_left_out(tmp_path, monkeypatch):
    assert faults(tmp_path, "a = 7") == ["7 -> (8)"]
    monkeypatch.setitem(_mutants.EQUIVALENT, ("code.py", "a = 7", "7 -> (8)"), "it is never read")
    assert faults(tmp_path, "a = 7\nb = 7") == ["7 -> (8)"]


def test_the_sample_is_the_same_for_the_same_seed(package):
    whole = drawn(package, ROOM, 0, "1")
    assert len(whole) > 6
    assert drawn(package, ROOM, 99, "1") == whole
    some = drawn(package, ROOM, 4, "1")
    assert len(some) == 4
    assert set(some) <= set(whole)
    assert drawn(package, ROOM, 4, "1") == some
    assert drawn(package, ROOM, 4, "2") != some


def test_faults_that_no_test_notices_are_named(package, capsys):
    before = (package / "made/counting.py").read_text()
    chosen = [
        one
        for one in drawn(package, ROOM, 0, "1")
        if one.change in ("2 -> (3)", "count >= LEAST -> (count > LEAST)")
    ]
    left = survivors(package, ROOM, chosen, jobs=2)
    assert [str(one) for one in left] == ["made/counting.py:9: 2 -> (3)"]
    assert capsys.readouterr().out == "not noticed: made/counting.py:9: 2 -> (3)\n"
    assert (package / "made/counting.py").read_text() == before


def test_tests_that_fail_without_a_fault_end_it(package):
    (package / "tests/test_counting.py").write_text("def test_it():\n    assert False\n")
    with pytest.raises(SystemExit, match="fails without any fault"):
        survivors(package, ROOM, drawn(package, ROOM, 1, "1"))


def test_copies_have_what_tests_need_and_no_more(package, tmp_path):
    copy = copied(package, tmp_path / "copy")
    assert sorted(path.name for path in copy.iterdir()) == ["made", "tests"]
    assert chosen_tests(package, ROOM, "made/counting.py") == ["tests/test_counting.py"]


def test_every_room_has_code_and_tests():
    for name, room in ROOMS.items():
        for one in drawn(ROOT, room, 20, name):
            assert chosen_tests(ROOT, room, one.file), one.file
        assert all("{" in test or (ROOT / test).exists() for test in room.tests)
