"""Templates to answers: a whole page, or the named block that htmx asked for."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).parent
STATIC = HERE / "static"
HASH_LENGTH = 12


@cache
def asset(path: str) -> str:
    """Address of a static file with the hash of its content, so that it may be cached for good."""
    digest = hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:HASH_LENGTH]
    return f"/static/{path}?v={digest}"


@cache
def environment() -> Environment:
    """The templates; the macros are at hand in each of them as `ui`."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )
    made.globals["asset"] = asset
    made.tests["failed"] = lambda region: isinstance(region, Failed)
    # As globals, macros also work in a block that is rendered without its page.
    made.globals["ui"] = made.get_template("_macros.html").module
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A region that could not be built: what failed, and what the system does meanwhile."""

    what: str
    meanwhile: str


def block(name: str, region: str, context: Mapping[str, object]) -> str:
    """One named block of a page, exactly as the page itself would show it."""
    template = environment().get_template(name)
    return "".join(template.blocks[region](template.new_context(dict(context))))


def page(
    request: Request, name: str, context: Mapping[str, object], *, status: int = 200, region: str = "main"
) -> HTMLResponse:
    """The page, or for htmx its block: the one named like the target's id, else `region`.

    A request that restores history gets the whole page, whatever else it says.
    """
    headers = {"Vary": "HX-Request"}
    wants_part = "HX-Request" in request.headers and "HX-History-Restore-Request" not in request.headers
    if not wants_part:
        html = environment().get_template(name).render(context)
        return HTMLResponse(html, status_code=status, headers=headers)
    asked = request.headers.get("HX-Target", "").rpartition("#")[2]
    blocks = environment().get_template(name).blocks
    found = asked if asked in blocks else region
    return HTMLResponse(block(name, found, context), status_code=status, headers=headers)
