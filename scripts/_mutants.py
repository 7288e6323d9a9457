"""Finds the places of a module where a small change is a realistic fault; used by `mutate.py`.

Left out is what changes no behaviour: docstrings, annotations, `__all__`, log messages and the
wording of errors and notices.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
SPEAKING = ("debug", "info", "warning", "error", "notice", "print")  # calls that only say something
# Arguments that name a thread, that matter at exit only, or that only check lengths.
LABELS = ("name", "daemon", "strict")
SKIPPED = (ast.JoinedStr, ast.Import, ast.ImportFrom, ast.Assert, ast.Global, ast.Nonlocal)

# (file, part of the line, change) of changes that make no difference, and why.
EQUIVALENT = {
    (
        "realtime_bg/processing/compositor.py",
        "cv2.flip(",
        "1 -> (2)",
    ): "OpenCV mirrors for every positive number",
    (
        "realtime_bg/processing/engine_choice.py",
        "self._size: Size = (0, 0)",
        "0 -> (1)",
    ): "never compared before there are settings",
    (
        "realtime_bg/processing/engine_choice.py",
        "if previous is not None and settings != previous:",
        "previous is not None and settings != previous -> (settings != previous)",
    ): "before there are settings no engine is barred",
    (
        "realtime_bg/processing/compositor.py",
        "if settings.output.mirror and settings.view.split:",
        "settings.output.mirror and settings.view.split -> (settings.output.mirror)",
    ): "only spares the mirroring of what is not shown",
    (
        "realtime_bg/processing/compositor.py",
        "if settings.output.mirror and settings.view.alpha",
        "settings.output.mirror and settings.view.alpha and (alpha is not None) -> "
        "(settings.output.mirror and alpha is not None)",
    ): "only spares the mirroring of what is not shown",
    (
        "realtime_bg/processing/compositor.py",
        'size, "contain")',
        "'contain' -> ('containx')",
    ): "what is neither `cover` nor `stretch` is fitted in as by `contain`",
    (
        "realtime_bg/processing/overlays.py",
        "(255, 255, 255)",
        "255 -> (256)",
    ): "OpenCV limits colours to 255",
    (
        "realtime_bg/processing/cards.py",
        "max(wide, 1)",
        "1 -> (2)",
    ): "only keeps from dividing by 0; no text is so narrow or so low that it counts",
    (
        "realtime_bg/processing/carrying.py",
        "self._planes = np.empty((3, 0, 0), np.float32)",
        "0 -> (1)",
    ): "replaced before its first use",
    (
        "realtime_bg/processing/workload.py",
        "self._first_size: Size = (0, 0)",
        "0 -> (1)",
    ): "replaced before its first use",
    (
        "realtime_bg/processing/workload.py",
        "self._stride = 1",
        "1 -> (2)",
    ): "replaced before its first use",
    (
        "realtime_bg/processing/refine.py",
        "return np.where(alpha < threshold",
        "alpha < threshold -> (alpha <= threshold)",
    ): "the two lines meet there",
    (
        "realtime_bg/processing/refine.py",
        "cv2.dilate if by > 0",
        "by > 0 -> (by >= 0)",
    ): "by 0 pixels, both change nothing",
    (
        "realtime_bg/processing/decontamination.py",
        "max(1.0, max(alpha.shape) / SIDE)",
        "1.0 -> (2.0)",
    ): "a margin wider than the widest window makes no difference",
    (
        "realtime_bg/live/composing.py",
        "elif self.holding and last is not None:",
        "self.holding and last is not None -> (self.holding)",
    ): "only for the type checker: what is held is there",
    (
        "realtime_bg/live/composing.py",
        "camera_shown = False",
        "False -> (True)",
    ): "matters only with a whole picture, with which it is set",
    (
        "realtime_bg/live/outlets.py",
        "self.running_since = 0.0",
        "0.0 -> (1.0)",
    ): "earlier than any time that it is compared with",
    (
        "realtime_bg/live/capture.py",
        "return False",
        "return False -> return None",
    ): "only its truth is used",
    (
        "realtime_bg/web/security.py",
        'name = urlsplit(f"//{host}").hostname or ""',
        "urlsplit(f'//{host}').hostname or '' -> (urlsplit(f'//{host}').hostname)",
    ): "only for the type checker: neither is a name or an address",
    (
        "realtime_bg/web/security.py",
        'headers.get("host", "")',
        "'' -> ('x')",
    ): "either is no name of this server, so that the request is refused",
    (
        "realtime_bg/web/security.py",
        'headers.get("authorization", "").partition',
        "'' -> ('x')",
    ): "either is not the scheme Bearer",
    (
        "realtime_bg/web/security.py",
        '.get("token", [""])[0]',
        "'' -> ('x')",
    ): "either is no token of this server",
    (
        "realtime_bg/web/security.py",
        '.get(_cookie_name(headers), "")',
        "'' -> ('x')",
    ): "either is no token of this server",
    (
        "realtime_bg/web/form_checks.py",
        "kind in names() and (not target or _is_safe(kind, target))",
        "kind in names() and (not target or _is_safe(kind, target)) -> "
        "(not target or _is_safe(kind, target))",
    ): "what is no name is a path, and no class with paths calls them safe; a second lock",
    (
        "realtime_bg/videos/joining.py",
        "packet.stream = stream",
        "packet.stream = stream -> pass",
    ): "the only track of a part has the number 0, as in the result",
    (
        "realtime_bg/live/composing.py",
        "if 0 < frame.time - matte.frame.time < CARRIED:",
        "0 < frame.time - matte.frame.time < CARRIED -> "
        "(0 <= frame.time - matte.frame.time < CARRIED)",
    ): "a matte that is moved to its own frame is the same matte",
    (
        "realtime_bg/videos/sequences.py",
        "at = round((start - span.start)",
        "start - span.start -> (start + span.start)",
    ): "a GIF has no times, only how long each picture lasts",
    (
        "realtime_bg/videos/sequences.py",
        "out.mux(stream.encode(None))",
        "out.mux(stream.encode(None)) -> pass",
    ): "the encoder of GIFs holds nothing back",
    (
        "realtime_bg/videos/sequences.py",
        'out.add_stream("gif", rate=',
        "1001 -> (1002)",
    ): "the times of a GIF do not depend on its rate",
    (
        "realtime_bg/videos/sequences.py",
        "TRANSPARENT, LEVELS = 255, 254",
        "254 -> (255)",
    ): "one colour more still leaves the transparent one free",
    (
        "realtime_bg/videos/sequences.py",
        "GIF_CLOCK = Fraction(1, 100)",
        "100 -> (101)",
    ): "FFmpeg converts the times to hundredths of a second, the clock of a GIF",
    (
        "realtime_bg/videos/joining.py",
        "framerate = clip.rate.limit_denominator(1001)",
        "1001 -> (1002)",
    ): "the denominators of frame rates are at most 1001",
    (
        "realtime_bg/videos/joining.py",
        "MARGIN = 1.0",
        "1.0 -> (2.0)",
    ): "sound that was sought too early is passed over",
    (
        "realtime_bg/videos/joining.py",
        "PAST = 10",
        "10 -> (11)",
    ): "only how long late packets are searched",
    (
        "realtime_bg/videos/joining.py",
        "if at > end + PAST:",
        "at > end + PAST -> (at >= end + PAST)",
    ): "only how long late packets are searched",
    (
        "realtime_bg/videos/joining.py",
        '{"alpha_mode", "ALPHA_MODE"}',
        "'ALPHA_MODE' -> ('ALPHA_MODEx')",
    ): "FFmpeg gives both names, each version at least one of them",
    (
        "realtime_bg/videos/joining.py",
        '{"alpha_mode", "ALPHA_MODE"}',
        "'alpha_mode' -> ('alpha_modex')",
    ): "FFmpeg gives both names, each version at least one of them",
    (
        "realtime_bg/videos/sequences.py",
        "reduced.palette.tobytes(), np.uint8).reshape(-1, 3)",
        "1 -> (2)",
    ): "NumPy takes every negative side for the unknown one",
}


class Mutant(NamedTuple):
    """One fault: the text from byte ``start`` to ``end`` of ``file`` becomes ``after``."""

    file: str
    line: int
    start: int
    end: int
    before: str
    after: str

    def applied(self, source: bytes) -> bytes:
        """The source with the fault."""
        return source[: self.start] + self.after.encode() + source[self.end :]

    @property
    def change(self) -> str:
        """The change in one line."""
        return " ".join(f"{self.before}  ->  {self.after}".split())

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.change}"


def mutants(path: Path, name: str) -> list[Mutant]:
    """All faults of one module in the order of their places; ``name`` is what they call it."""
    source = path.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    lines = source.decode().splitlines()
    found = set()
    for node, after in _faults(ast.parse(source), ""):
        start = starts[node.lineno - 1] + node.col_offset
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        end = starts[node.end_lineno - 1] + node.end_col_offset
        one = Mutant(name, node.lineno, start, end, ast.unparse(node), after)
        if not _is_known(one, lines[one.line - 1]):
            found.add(one)
    return sorted(found)


def _is_known(one: Mutant, line: str) -> bool:
    """Whether a fault is one of `EQUIVALENT`."""
    return any(
        (one.file, one.change) == (file, change) and part in line
        for file, part, change in EQUIVALENT
    )


Fault = tuple[ast.expr | ast.stmt, str]


def _faults(node: ast.AST, function: str) -> Iterator[Fault]:
    """The faults in a node and below it; ``function`` is the name of the one around it."""
    if isinstance(node, SKIPPED) or _is_silent(node):
        return
    if isinstance(node, ast.expr):
        yield from ((node, f"({ast.unparse(new)})") for new in _expressions(node))
    if isinstance(node, ast.stmt):
        yield from ((node, text) for text in _statements(node, function))
    if isinstance(node, ast.If | ast.While) and not isinstance(
        node.test, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Constant
    ):
        yield node.test, f"(not {ast.unparse(node.test)})"
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        function = node.name
    if not isinstance(node, ast.Raise):
        for child in _children(node):
            yield from _faults(child, function)


def _is_silent(node: ast.AST) -> bool:
    """Whether a node changes nothing but what is said, or only describes the code."""
    if isinstance(node, ast.Expr):
        node = node.value
        if isinstance(node, ast.Constant):  # a docstring
            return True
    if isinstance(node, ast.Call):
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        return called in (*SPEAKING, "TypeVar")
    if isinstance(node, ast.keyword):
        return node.arg in LABELS
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.annotation) == "TypeAlias"
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def _children(node: ast.AST) -> Iterator[ast.AST]:
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "bases", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child


def _expressions(node: ast.expr) -> Iterator[ast.expr]:
    """What an expression may be replaced by."""
    match node:
        case ast.Compare():
            for at, op in enumerate(node.ops):
                for kind in COMPARED[type(op)]:
                    ops = [*node.ops[:at], kind(), *node.ops[at + 1 :]]
                    yield ast.Compare(node.left, ops, node.comparators)
        case ast.BoolOp():
            yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
            for at in range(len(node.values)):
                rest = [*node.values[:at], *node.values[at + 1 :]]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield node.operand
        case ast.BinOp() if type(node.op) in ARITHMETIC:
            yield ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
        case ast.IfExp():
            yield ast.IfExp(node.test, node.orelse, node.body)
        case ast.Constant(value=bool() as known):
            yield ast.Constant(not known)
        case ast.Constant(value=str() as text):
            yield ast.Constant(text + "x")
        case ast.Constant(value=bytes() as data):
            yield ast.Constant(data + b"x")
        case ast.Constant(value=int() as number):
            yield ast.Constant(number + 1)
        case ast.Constant(value=float() as number):
            yield ast.Constant(number * 2 or 1.0)


def _statements(node: ast.stmt, function: str) -> Iterator[str]:
    """What a statement may be replaced by."""
    match node:
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.Raise() | ast.Continue():
            yield "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) if function != "__init__":
            yield "pass"
        case ast.AugAssign():
            yield "pass"
            if type(node.op) in ARITHMETIC:
                op = ARITHMETIC[type(node.op)]()
                yield ast.unparse(ast.AugAssign(node.target, op, node.value))
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield "return None"
