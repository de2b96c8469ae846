"""The machine, who did what to it, and the help."""

from dataclasses import dataclass

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from evil2root.engine.desk import Desk
from evil2root.web.deps import DeskDep
from evil2root.web.regions import MACHINE, guarded, topics_of
from evil2root.web.routes.pages import answer, frame, regions_of
from evil2root.web.views import system
from evil2root.web.views.common import Badge, place_of
from evil2root.web.views.help import KEYS, WORDS

router = APIRouter()

CHARTS_BY = "https://www.tradingview.com/"
"""The chart library's licence asks for this link."""
AUDIT_ROWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What going through the ledger found."""

    badge: Badge
    says: str


@router.get("/system")
async def system_page(request: Request, desk: DeskDep, verify: bool = False) -> Response:  # noqa: FBT001, FBT002 - from the address
    """Is it healthy?"""
    return answer(
        request, "pages/system.html", frame=frame(request, desk, page="system", topics=topics_of(MACHINE)),
        page=await system.system_page(desk), verified=await _verified(desk) if verify else None, charts_by=CHARTS_BY,
        parked=await guarded(system.parked(desk), what="What was set aside could not be read", name="parked"),
        drills=await guarded(system.drills(desk), what="What the drills showed could not be read", name="drills"),
        freshness=await guarded(system.freshness(desk), what="The stored bars could not be read", name="freshness"),
        regions=await regions_of(request, desk, MACHINE),
    )  # fmt: skip


async def _verified(desk: Desk) -> Verified:
    breach = await desk.reads.verify()
    if breach is None:
        says = "Every balance, position and invariant was recomputed from the journal, and all of them hold."
        return Verified(badge=Badge(label="All hold", tone="good", glyph="check"), says=says)
    says = f"{breach.table}, row {breach.row}: {breach.says}"
    return Verified(badge=Badge(label="Does not hold", tone="bad", glyph="alert"), says=says)


@router.get("/audit")
async def audit(request: Request, desk: DeskDep, cursor: str = "") -> Response:
    """Who did what, when, from where?"""
    try:
        found = await desk.reads.audit(limit=AUDIT_ROWS, cursor=cursor or None)
    except ValueError as problem:
        raise HTTPException(422, f"The list can't go on from here: {problem}") from problem
    place = place_of(desk.policy, desk.status().now)
    return answer(
        request, "pages/audit.html", frame=frame(request, desk, page="audit"),
        rows=tuple(system.audit_row(line, place) for line in found.items),
        more=f"/audit?cursor={found.next}" if found.next else "",
    )  # fmt: skip


@router.get("/help")
async def help_page(request: Request, desk: DeskDep) -> Response:
    """Show keys and words."""
    return answer(request, "pages/help.html", frame=frame(request, desk, page="help"), keys=KEYS, words=WORDS)


@router.get("/more")
async def more(request: Request, desk: DeskDep) -> Response:
    """Show all pages, for small screens."""
    return answer(request, "pages/more.html", frame=frame(request, desk, page="more"))
