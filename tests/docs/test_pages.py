"""The pages say what is: links lead somewhere, commands and messages exist, and recipes load."""

import ast
import re
import shlex
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from helpers import ROOT
from typer.main import get_command

from realtime_bg.cli.program import app
from realtime_bg.settings import load

REPOSITORY = re.compile(
    r"https://(?:github\.com/realtime-bg/realtime-bg/(?:blob|tree)"
    r"|raw\.githubusercontent\.com/realtime-bg/realtime-bg)/main/"
)
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    ROOT / "models/README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINKS = (
    re.compile(r"\]\(([^)\s]+)\)"),
    re.compile(r"^\[[^\]\n]+\]: (\S+)", re.MULTILINE),
    re.compile(r'\b(?:src|srcset|href)="([^"]+)"'),
)


def names(pages):
    return [page.relative_to(ROOT).as_posix() for page in pages]


@cache
def text(page):
    return page.read_text(encoding="utf-8")


def blocks(page, language):
    """The fenced blocks of a page in one language."""
    return [found[3] for found in FENCE.finditer(text(page)) if found[2] == language]


def links(page):
    """Where the page's links lead that belong to this repository."""
    prose = re.sub(r"`[^`\n]+`", "code", FENCE.sub("", text(page)))
    for pattern in LINKS:
        for target in pattern.findall(prose):
            if REPOSITORY.match(target):
                yield ROOT, REPOSITORY.sub("", target)
            elif ":" not in target:
                yield page.parent, target


@cache
def anchors(page):
    """The anchors of a page's headings, as GitHub and the site make them."""
    found = []
    for heading in re.findall(r"^#{1,6} (.+)$", FENCE.sub("", text(page)), re.MULTILINE):
        words = re.sub(r"\]\([^)]*\)", "", heading).lower()
        name = re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")
        found.append(f"{name}-{found.count(name)}" if name in found else name)
    return found


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_every_link_leads_to_a_file_and_a_heading(page):
    broken = []
    for base, target in links(page):
        place, _, anchor = unquote(target).partition("#")
        path = (base / place).resolve() if place else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert broken == []


def test_the_pages_have_links_at_all():
    assert sum(1 for page in PAGES for _ in links(page)) > 100


def test_what_pypi_shows_links_to_whole_addresses():
    relative = [target for base, target in links(ROOT / "README.md") if base != ROOT]
    assert [target for target in relative if not target.startswith("#")] == []
    prose = FENCE.sub("", text(ROOT / "README.md"))
    assert re.findall(r"\]\((?!https://|#)([^)\s]+)\)", prose) == []
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", prose)
    assert pictures
    assert all(each.startswith("https://raw.githubusercontent.com/") for each in pictures)


def test_the_readme_is_short_and_begins_with_a_picture_and_two_commands():
    lines = text(ROOT / "README.md").splitlines()
    assert len(lines) <= 150
    first = "\n".join(lines[:24])
    assert first.index("![") < first.index("```sh")
    demo, tests = blocks(ROOT / "README.md", "sh")[:2]
    assert demo in first
    assert tests in first
    assert demo.startswith("pip install . && realtime-bg --source demo ")
    assert tests == 'pip install -e ".[dev]" -c constraints.txt && pytest\n'


def test_every_page_has_a_place_in_the_navigation():
    lines = text(ROOT / "mkdocs.yml").partition("\nnav:\n")[2]
    listed = set(re.findall(r": ([\w-]+\.md)$", lines, re.MULTILINE))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - listed == set()


# recipes

RECIPES = blocks(ROOT / "docs/recipes.md", "yaml")


def test_there_are_recipes():
    assert len(RECIPES) >= 8
    assert len(RECIPES) == len(set(RECIPES))


@pytest.mark.parametrize("recipe", RECIPES, ids=range(len(RECIPES)))
def test_a_recipe_is_a_valid_config(recipe, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(recipe, encoding="utf-8")
    settings = load(path).model_dump(mode="json")

    def compare(given, loaded, place=""):
        for key, value in given.items():
            if isinstance(value, dict):
                compare(value, loaded[key], f"{place}{key}.")
            elif key not in ("size", "work_size"):  # "640x360" becomes two numbers
                assert loaded[key] == value, f"{place}{key}"

    compare(yaml.safe_load(recipe), settings)


# commands


def commands(page):
    """The commands of a page that start this program, each as words."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r" && | \| ", line):
                if part.startswith("realtime-bg"):
                    yield shlex.split(part, comments=True)
    prose = FENCE.sub("", text(page))
    for code in re.findall(r"`(realtime-bg [^`]+)`", prose):
        yield shlex.split(code.replace("\n", " "))


def problem(words):
    """What is wrong with the names of commands and options in a command, or None."""
    command, rest = get_command(app), words[1:]
    if rest and rest[0].startswith("-") and rest[0] not in ("--help", "-h"):
        own = {name for each in command.params for name in each.opts}
        if rest[0] in own:
            return None
        rest = ["run", *rest]
    while rest and hasattr(command, "commands") and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            return f"there is no command {rest[0]}"
        command, rest = command.commands[rest[0]], rest[1:]
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    if "--" in rest:
        return problem(["realtime-bg", "daemon", *rest[rest.index("--") + 1 :]])
    options = [word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)]
    strange = [name for name in options if name not in {*known, "--help", "-h"}]
    return f"there is no option {' '.join(strange)}" if strange else None


def test_the_check_of_commands_notices_what_does_not_exist():
    assert problem(["realtime-bg", "nosuch"])
    assert problem(["realtime-bg", "ctl", "nosuch"])
    assert problem(["realtime-bg", "-b", "beach", "--nosuch"])
    assert problem(["realtime-bg", "serve", "--nosuch"])
    assert problem(["realtime-bg", "install-service", "--", "--nosuch"])


COMMANDED = [page for page in PAGES if page.name != "CHANGELOG.md"]  # it also tells of the past


@pytest.mark.parametrize("page", COMMANDED, ids=names(COMMANDED))
def test_every_command_and_option_exists(page):
    found = {" ".join(words): problem(words) for words in commands(page)}
    assert {words: wrong for words, wrong in found.items() if wrong} == {}


# messages


@cache
def said():
    """All texts in the program's code, with a mark where values are filled in."""
    texts = []
    for path in sorted((ROOT / "realtime_bg").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (
                    each.value if isinstance(each, ast.Constant) else "\0" for each in node.values
                )
                texts.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(re.sub(r"%\.?\d*[sdgf]", "\0", node.value))
    return "\n".join(texts)


def messages():
    """What docs/troubleshooting.md says that the program says."""
    page = text(ROOT / "docs/troubleshooting.md")
    for line in page.splitlines():
        if line.startswith("It says: "):
            yield from re.findall(r"`([^`]+)`", line)
    for table in re.findall(r"^\| (?:it|the card) says \|.*\n\|.*\n((?:\|.*\n)+)", page, re.M):
        for row in table.splitlines():
            yield re.findall(r"`([^`]+)`", row.split(" | ")[0])[0]


def pieces(message):
    return [
        each.strip(" ;:,`()") for each in message.split("...") if len(each.strip(" ;:,`()")) > 2
    ]


def test_the_program_says_what_the_page_about_troubles_quotes():
    quoted = list(messages())
    assert len(quoted) > 25
    missing = [piece for each in quoted for piece in pieces(each) if piece not in said()]
    assert missing == []


def test_what_the_program_does_not_say_is_noticed():
    assert [piece for piece in pieces("the camera ... is on fire") if piece not in said()]


def test_the_pages_named_in_the_code_exist():
    found = set(
        re.findall(
            r"\bdocs/[\w-]+\.md\b",
            "\n".join(
                path.read_text(encoding="utf-8")
                for folder in ("realtime_bg", "scripts", "packaging")
                for path in (ROOT / folder).rglob("*")
                if path.suffix in (".py", ".yml", ".1")
            ),
        )
    )
    assert found
    assert [name for name in sorted(found) if not Path(ROOT, name).is_file()] == []
