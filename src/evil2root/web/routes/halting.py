"""Stopping entries and letting them go on."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import Response

from evil2root.domain.kernel.actions import Reply
from evil2root.web.deps import DeskDep, TraderDep, origin_of
from evil2root.web.notice import answered
from evil2root.web.routes.pages import answer, frame

router = APIRouter()

REASON_MAX = 200
SCOPES = ("pause", "cancel", "flatten")


@router.get("/halt")
async def ask_halt(request: Request, desk: DeskDep, _who: TraderDep) -> Response:
    """Show the three grades, with what each would do now."""
    return answer(request, "pages/halt.html", frame=frame(request, desk, page="halt"), region="sheet_body")


@router.post("/halt")
async def halt(
    request: Request, desk: DeskDep, who: TraderDep,
    scope: Annotated[str, Form()] = "pause", reason: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Stop entries, as far as was chosen."""
    if scope not in SCOPES:
        raise HTTPException(422, f"{scope[:40]!r} is no way to halt; use one of {', '.join(SCOPES)}.")
    reply = await desk.halt(
        by=who.name, origin=origin_of(request), reason=short_reason(reason) or "no reason given",
        cancel=scope in ("cancel", "flatten"), flatten=scope == "flatten",
    )  # fmt: skip
    return answered(reply, back="/")


@router.get("/resume")
async def ask_resume(request: Request, desk: DeskDep, _who: TraderDep) -> Response:
    """Ask for the reason."""
    breaker = desk.status().carry.breaker
    return answer(
        request, "pages/resume.html", frame=frame(request, desk, page="halt"), region="form",
        halted=not breaker.lets_in, by=breaker.by, reason=breaker.reason,
    )  # fmt: skip


@router.post("/resume")
async def resume(request: Request, desk: DeskDep, who: TraderDep, reason: Annotated[str, Form()] = "") -> Response:
    """Let entries go on."""
    why = short_reason(reason)
    if not why:
        return answered(Reply(done=False, says="Say why, for the audit log: nothing was changed."), back="/resume")
    return answered(await desk.resume(by=who.name, origin=origin_of(request), reason=why), back="/")


def short_reason(text: str) -> str:
    """Return a person's words in one line, cut to what the audit log takes."""
    return " ".join(text.split())[:REASON_MAX]
