"""The page of the sources, and the form for their weights."""

from math import isfinite

from fastapi import APIRouter, Request
from fastapi.responses import Response

from evil2root.web.deps import AdminDep, DeskDep, origin_of
from evil2root.web.notice import answered
from evil2root.web.regions import guarded
from evil2root.web.routes.pages import answer, frame
from evil2root.web.views.signals import FIELD, Draft, signals_page

router = APIRouter()

BACK = "/signals"
TYPED_MAX = 40
"""Characters of a weight that are looked at."""

SEEN_DIGITS_MAX = 19
NEVER = -1
"""A number no change has: a form that does not say what it was filled in over changes nothing."""


@router.get("/signals")
async def signals(request: Request, desk: DeskDep) -> Response:
    """How far can each source be believed?"""
    page = await guarded(signals_page(desk), what="The history could not be read", name="signals")
    return answer(request, "pages/signals.html", frame=frame(request, desk, page="signals"), page=page)


@router.post("/signals/weights")
async def weigh(request: Request, desk: DeskDep, who: AdminDep) -> Response:
    """Give sources other weights, or those of the settings back."""
    form = await request.form()
    typed = {
        name.removeprefix(FIELD): str(value).strip()[:TYPED_MAX]
        for name, value in form.items()
        if name.startswith(FIELD)
    }
    seen = _seen(form.get("seen"))
    try:
        asked = None if form.get("how") == "defaults" else {name: _number(name, text) for name, text in typed.items()}
        reply = await desk.weighing.weigh(asked, by=who.name, origin=origin_of(request), seen=seen)
        return answered(reply, back=BACK)
    except ValueError as wrong:
        making = signals_page(desk, draft=Draft(typed=typed, seen=seen, problem=f"Nothing was changed. {wrong}"))
        page = await guarded(making, what="The history could not be read", name="signals")
        around = frame(request, desk, page="signals")
        return answer(request, "pages/signals.html", frame=around, page=page, status=422)


def _seen(sent: object) -> int:
    text = str(sent)
    return int(text) if text.isascii() and text.isdigit() and len(text) < SEEN_DIGITS_MAX else NEVER


def _number(source: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        msg = f"The weight of {source[:TYPED_MAX].replace('_', ' ')} is {text!r}: write a number from 0 to 1, such as 0.15."
        raise ValueError(msg)
    return value
