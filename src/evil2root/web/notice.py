"""The answer to what a person asked, carried over the redirect that follows a form: a short-lived cookie."""

import base64
import binascii
import json
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from evil2root.domain.kernel.actions import Reply

COOKIE = "e2r_notice"
LIFE_S = 30
TEXT_MAX = 500
"""Characters of a notice; cookies have to stay small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Done or not, in a sentence."""

    done: bool
    says: str


def answered(reply: Reply, *, back: str) -> RedirectResponse:
    """Send the browser to `back`, where the reply is shown once."""
    answer = RedirectResponse(back, status_code=303)
    text = json.dumps({"done": reply.done, "says": reply.says[:TEXT_MAX]})
    value = base64.urlsafe_b64encode(text.encode()).decode()
    answer.set_cookie(COOKIE, value, max_age=LIFE_S, httponly=True, samesite="lax")
    return answer


def notice_of(request: Request) -> Notice | None:
    """Read the notice a redirect left; none when there is none, or when it is not one of ours."""
    raw = request.cookies.get(COOKIE)
    if not raw:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(raw.encode()))
        return Notice(done=bool(found["done"]), says=str(found["says"])[:TEXT_MAX])
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None


def shown(response: Response) -> Response:
    """Forget the notice: it was shown."""
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return response


def own_path(back: str, *, otherwise: str) -> str:
    """A path on this site, never another one's address."""
    is_ours = back.startswith("/") and not back.startswith(("//", "/\\")) and "\n" not in back and "\r" not in back
    return back if is_ours else otherwise
