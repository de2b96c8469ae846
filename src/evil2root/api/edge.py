"""What every request and answer is held to: size, the names of this server, headers. Nothing slow to import here."""

from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

BODY_MAX = 1024 * 1024
"""Bytes. The largest body anything here needs is some hundred bytes."""

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), "
    "microphone=(), payment=(), usb=()",
}

_ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


@lru_cache(maxsize=256)
def is_known(host: str, hosts: frozenset[str]) -> bool:
    """Is a Host header one of ours?"""
    try:
        name = (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return False
    if name == "localhost" or name in hosts:
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or not hosts.isdisjoint(_ANY_ADDRESS)
