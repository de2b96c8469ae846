"""The rules of this house that no linter sells. `python -m tools.house_rules` prints each breach and exits 1.

Every rule takes a file's place in the project and its text, and gives the breaches it finds.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
"""Docstring and decorators not counted: what must fit in a head is the code."""

MONEY_ROOMS = ("src/evil2root/domain/book/", "src/evil2root/domain/core/money.py")
MONEY_EXEMPT = ("src/evil2root/domain/book/performance.py",)
"""Statistics about a finished book are floats; they never become money again."""

CROSSING = "exact"
"""The one function of a money room that takes floats: it turns them into Decimals by their shortest text."""

GATE = "src/evil2root/domain/risk/gate.py"
SELF = ("tools/house_rules.py", "tests/test_house.py")
"""The two files that must spell out what is forbidden."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A place that breaks a rule, and what to do about it."""

    place: str
    line: int
    advice: str

    def __str__(self) -> str:
        return f"{self.place}:{self.line}: {self.advice}"


Rule = Callable[[str, str], Iterator[Breach]]


def no_float_in_money_rooms(place: str, text: str) -> Iterator[Breach]:
    """Money, once it is money, stays a Decimal: no float name, cast or literal where books are kept.

    A function that returns a float is let be: a ratio may leave the room as a statistic, nothing comes in by it.
    """
    if not place.startswith(MONEY_ROOMS) or place in MONEY_EXEMPT or not place.endswith(".py"):
        return
    for node in outside_of_ratios(ast.parse(text)):
        named = isinstance(node, ast.Name) and node.id == "float"
        literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
        if isinstance(node, ast.expr) and (named or literal):
            advice = "a float in a money room: cross by Instrument.price or Instrument.quantity before it gets here"
            yield Breach(place=place, line=node.lineno, advice=advice)


def outside_of_ratios(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.FunctionDef):
        gives_ratio = isinstance(node.returns, ast.Name) and node.returns.id == "float"
        if gives_ratio or node.name == CROSSING:
            return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from outside_of_ratios(child)


def only_the_gate_approves(place: str, text: str) -> Iterator[Breach]:
    """An `Approved` that the risk gate has not made is an order that no limit has seen."""
    if not place.startswith("src/") or place == GATE or not place.endswith(".py"):
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name == "Approved":
                yield Breach(place=place, line=node.lineno, advice=f"only {GATE} makes an Approved: call judge()")


def nothing_inline_in_templates(place: str, text: str) -> Iterator[Breach]:
    """The content security policy would refuse these in the browser; here they are refused a little earlier."""
    if not place.startswith("src/") or not place.endswith((".html", ".j2", ".jinja")):
        return
    forbidden = {
        r"\sstyle\s*=": "an inline style: give it a class in static/css",
        r"<style\b": "an inline style sheet: put it into static/css",
        r"\bhx-on\b": "hx-on runs text as code: listen in static/js",
        r"""\son[a-z]+\s*=\s*["']""": "an inline event handler: listen in static/js",
        r"\bjs:|\bjavascript:": "text run as code: write it into static/js",
        r"<script\b(?![^>]*\bsrc=)": "an inline script: put it into static/js",
        r"""\b(?:src|href)\s*=\s*["'](?:https?:)?//""": "another origin: vendor it by tools/front_end.py",
        r"\|\s*safe\b": "a value marked safe: let Jinja escape it",
    }
    for pattern, advice in forbidden.items():
        for hit in re.finditer(pattern, text):
            yield Breach(place=place, line=line_of(text, hit.start()), advice=advice)


def files_and_functions_end_in_time(place: str, text: str) -> Iterator[Breach]:
    """Files stop at 400 lines, functions at 70."""
    if not place.endswith((".py", ".js")) and place != "evil2root":
        return
    lines = text.count("\n")
    if lines > FILE_LINES_MAX:
        yield Breach(place=place, line=lines, advice=f"{lines} lines, {FILE_LINES_MAX} at most: split it by subject")
    if place.endswith(".js"):
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = code_lines(node)
            if length > FUNCTION_LINES_MAX:
                advice = f"{node.name} has {length} lines of code, {FUNCTION_LINES_MAX} at most: give a part a name"
                yield Breach(place=place, line=node.lineno, advice=advice)


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    end = function.end_lineno or function.lineno
    has_docstring = ast.get_docstring(function) is not None
    docstring = function.body[0]
    skipped = (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1 if has_docstring else 0
    return end - function.lineno + 1 - skipped


def nothing_that_does_not_belong(place: str, text: str) -> Iterator[Breach]:
    """Somebody's home folder, a promise to finish later, a package index by its address."""
    if place in SELF:
        return
    forbidden = {
        r"\b(?:TODO|FIXME|XXX)\b": "a note to finish later: finish it, or leave it out",
        r"(?<![\w/])/(?:home|Users)/[a-z]\w*": "a path of one machine: make it relative, or a setting",
        r"(?<![\w/])/root/\w+": "a path of one machine: make it relative, or a setting",
    }
    if place.startswith("requirements/"):
        forbidden[r"\w+://"] = "an address: locks name packages and hashes, the user's settings say from where"
    if place == "package-lock.json":
        forbidden[r'"resolved":'] = "an address: .npmrc keeps them out, run npm in this folder"
    for pattern, advice in forbidden.items():
        for hit in re.finditer(pattern, text):
            yield Breach(place=place, line=line_of(text, hit.start()), advice=advice)


RULES: tuple[Rule, ...] = (
    no_float_in_money_rooms,
    only_the_gate_approves,
    nothing_inline_in_templates,
    files_and_functions_end_in_time,
    nothing_that_does_not_belong,
)


def line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def breaches_of(place: str, text: str) -> list[Breach]:
    """Judge one file by every rule."""
    return [breach for rule in RULES for breach in rule(place, text)]


def project_files() -> Iterator[Path]:
    """Give what belongs to the project: tracked, or new and not ignored."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in sorted(listing.stdout.decode().split("\0")):
        path = ROOT / name
        if name and path.is_file():
            yield path


def main() -> int:
    found: list[Breach] = []
    for path in project_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # pictures and fonts: no rule speaks of them
            continue
        found.extend(breaches_of(str(PurePosixPath(path.relative_to(ROOT))), text))
    for breach in found:
        print(breach)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
