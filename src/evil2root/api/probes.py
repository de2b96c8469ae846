"""What `/healthz` and `/readyz` say. Nothing that is slow to import may be needed here: they answer first of all."""

from http import HTTPStatus

from evil2root.engine.desk import Desk, Phase

HEALTH, READINESS = "/healthz", "/readyz"
ALIVE = {"status": "alive"}


def readiness(desk: Desk | None) -> tuple[HTTPStatus, dict[str, str]]:
    """Say whether it may trade, and why not: 200 only when it may."""
    phase, reason = Phase.STARTING, "The parts are being put together."
    if desk is not None:
        now = desk.status()
        phase, reason = now.phase, now.says
    code = HTTPStatus.OK if phase is Phase.READY else HTTPStatus.SERVICE_UNAVAILABLE
    return code, {"status": phase, "reason": reason}
