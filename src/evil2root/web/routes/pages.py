"""What every page route begins with: the frame, and an answer that forgets the notice it showed."""

from collections.abc import Mapping

from fastapi import Request
from fastapi.responses import Response

from evil2root.engine.desk import Desk
from evil2root.web import notice, render
from evil2root.web.curve import Curve
from evil2root.web.deps import caller_of, csrf_of
from evil2root.web.regions import Region, built
from evil2root.web.views.shell import Shell, shell


def frame(request: Request, desk: Desk, *, page: str, topics: str = "", subject: str = "") -> Shell:
    """Build the frame of `page` for this caller."""
    return shell(
        desk, page=page, identity=caller_of(request), csrf=csrf_of(request), notice=notice.notice_of(request),
        topics=topics, subject=subject,
    )  # fmt: skip


def answer(  # noqa: PLR0913 - the template, its frame and what it shows
    request: Request, name: str, /, *, frame: Shell, status: int = 200, region: str = "main",
    regions: Mapping[str, object] | None = None, **context: object,
) -> Response:  # fmt: skip
    """Render a page in its frame."""
    shown = {"shell": frame, **(regions or {}), **context}
    response = render.page(request, name, shown, status=status, region=region)
    return notice.shown(response) if frame.notice is not None else response


def curve_of(request: Request) -> Curve:
    """The one curve of this process."""
    curve: Curve = request.app.state.web_curve
    return curve


async def regions_of(request: Request, desk: Desk, regions: tuple[Region, ...]) -> dict[str, object]:
    """Build all regions of a page."""
    return {region.name: await built(region, desk, curve_of(request)) for region in regions}
