"""What `/healthz` and `/readyz` say. Nothing that is slow to import may be needed here: they answer first of all."""

from http import HTTPStatus

from evil2root.engine.desk import Desk, Phase

HEALTH, READINESS = "/healthz", "/readyz"
ALIVE = {"status": "alive"}


def readiness(desk: Desk | None) -> tuple[HTTPStatus, dict[str, str]]:
    """Say whether it may trade, and why not: 200 only when it may.

    A bar that is missing is no reason to put another process in its place: it trades the other symbols. It is said.
    """
    phase, reason = Phase.STARTING, "The parts are being put together."
    if desk is not None:
        now = desk.status()
        phase, reason = now.phase, now.says
        if phase is Phase.READY and now.feed.missing and not reason:
            # Anybody may ask here: which symbols, and what a provider wrote, is for those who are let in.
            reason = (
                f"{len(now.feed.missing)} watched without the newest bar, and not traded until it is there: "
                "/api/v1/status says which, and why."
            )
    code = HTTPStatus.OK if phase is Phase.READY else HTTPStatus.SERVICE_UNAVAILABLE
    return code, {"status": phase, "reason": reason}
