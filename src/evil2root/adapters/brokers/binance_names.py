r"""Our order ids in the 36 characters that Binance allows, and back.

An id is unique there among open orders only, and an order that is moved is a new one: each revision needs a name of its
own, and our ids fill the 36 characters alone. So the 16 bytes of the id are written in base 64, and the revision behind
them: `e2r-1yUHkZ3KUx-UrD2YbLMhCA.17`. Fact from Binance's reference: `newClientOrderId` is `^[\.A-Z\:/a-z0-9_-]{1,36}$`.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

REVISION_MAX = 999_999_999
_NAME = re.compile(r"e2r-([A-Za-z0-9_-]{22})(?:\.([1-9][0-9]{0,8}))?")


def their_name(client_order_id: str, *, revision: int = 0) -> str:
    """Name the order, or the `revision`-th change of it. Raises `ValueError` for what is none of our ids."""
    if not 0 <= revision <= REVISION_MAX:
        msg = f"Revision {revision} of {client_order_id} is not within 0 and {REVISION_MAX}."
        raise ValueError(msg)
    short = urlsafe_b64encode(UUID(client_order_id).bytes).decode().rstrip("=")
    return f"e2r-{short}.{revision}" if revision else f"e2r-{short}"


def our_name(theirs: str) -> tuple[str, int] | None:
    """Read our id and the revision from a name; none for a name that we did not make."""
    found = _NAME.fullmatch(theirs)
    if found is None:
        return None
    ours, revision = str(UUID(bytes=urlsafe_b64decode(f"{found[1]}=="))), int(found[2] or 0)
    return (ours, revision) if their_name(ours, revision=revision) == theirs else None
