"""Search over symbols, decisions and pages."""

import re
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from evil2root.engine.desk import Desk
from evil2root.web import format as f
from evil2root.web.deps import DeskDep
from evil2root.web.routes.pages import answer, frame
from evil2root.web.views.shell import Shell

router = APIRouter()

HITS_MAX = 12
QUERY_MAX = 60
DECISION = re.compile(r"(?:d-?)?([0-9]{1,12})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Something to go to."""

    label: str
    text: str
    href: str
    glyph: str


@router.get("/search")
async def search(request: Request, desk: DeskDep, q: str = "") -> Response:
    """Find by name. The one exact hit of a whole-page search is gone to at once."""
    asked = q.strip()[:QUERY_MAX]
    around = frame(request, desk, page="search")
    hits = await _hits(desk, asked, around)
    wants_part = "HX-Request" in request.headers
    exact = [h for h in hits if h.label.casefold() == asked.casefold()]
    if len(exact) == 1 and not wants_part:
        return RedirectResponse(exact[0].href, status_code=303)
    return answer(request, "pages/search.html", frame=around, q=asked, hits=hits, region="found")


async def _hits(desk: Desk, asked: str, around: Shell) -> tuple[Hit, ...]:
    word = asked.casefold()
    hits = [
        Hit(label=symbol, text=i.name, href=f"/symbols/{f.path(symbol)}", glyph="candles")
        for symbol, i in desk.policy.instruments.items()
        if word in symbol.casefold() or word in i.name.casefold()
    ]
    number = DECISION.fullmatch(asked)
    if number is not None:
        found = await desk.reads.decision(f"D-{int(number[1])}")
        if found is not None:
            text = f"{found.symbol}, {found.outcome.value.replace('_', ' ')}"
            hits.insert(0, Hit(label=found.id, text=text, href=f"/decisions/{found.id}", glyph="split"))
    hits += [
        Hit(label=item.label, text="", href=item.href, glyph=item.glyph)
        for _, items in around.groups
        for item in items
        if word in item.label.casefold()
    ]
    return tuple(hits[:HITS_MAX])
