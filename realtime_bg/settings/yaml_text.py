"""Parsing YAML, with any problem reported as a single error with its line."""

from typing import Any

import yaml

from realtime_bg.errors import SettingsError, reason


class _Loader(yaml.SafeLoader):
    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Like the base class, but turn errors of int(), date() and others into YAML errors."""
        try:
            return super().construct_object(node, deep)
        except (yaml.YAMLError, RecursionError):
            raise
        except Exception as error:
            problem = f"a value that cannot be read ({reason(error)})"
            raise yaml.constructor.ConstructorError(
                problem=problem, problem_mark=node.start_mark
            ) from None


def parsed(text: str, origin: str = "") -> tuple[yaml.Node | None, Any]:
    """The nodes of a document and its value. Raises SettingsError of one line: ``origin``, line,
    reason."""
    line = ""
    try:
        return yaml.compose(text, _Loader), yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).split("\n")[0]
    except RecursionError:
        problem = "nested too deeply"
    place = ", ".join(filter(None, (origin, line)))
    raise SettingsError(f"{place}: {problem}" if place else problem)
