"""Bodies of HTTP answers, read as far as they are not too long, packed or not.

httpx unpacks each part it receives whole before anybody can look at its size: 64 kB of zeros, well packed, are 64 MB.
Here no more is unpacked than may be read.
"""

import zlib

import httpx

ENCODING = "gzip"
"""What requests should say they accept; another encoding is refused."""


class BadBody(ValueError):  # noqa: N818 - named for what is wrong
    """A body that is too long, cut short, or packed in a way that can't be unpacked."""


async def body_of(response: httpx.Response, *, most: int) -> bytes:
    """Read the body of a streamed response. Never holds more than `most` bytes and one part from the network.

    Raises `BadBody`, and httpx's errors when the connection breaks.
    """
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower() or "identity"
    if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
        msg = f"its body is packed as {encoding[:20]!r}, which was not asked for"
        raise BadBody(msg)
    unpacker = None if encoding == "identity" else zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    content, received = bytearray(), 0
    async for part in response.aiter_raw():
        received += len(part)
        content += part if unpacker is None else _unpacked(unpacker, part, most=most + 1 - len(content))
        if len(content) > most or received > most:
            msg = f"its body is longer than {most} bytes"
            raise BadBody(msg)
    if unpacker is not None and received and (not unpacker.eof or unpacker.unused_data):
        msg = "its packed body was cut short" if not unpacker.eof else "something follows its packed body"
        raise BadBody(msg)
    return bytes(content)


def _unpacked(unpacker: "zlib._Decompress", part: bytes, *, most: int) -> bytes:
    try:
        return unpacker.decompress(part, most)
    except zlib.error as problem:
        msg = f"its body can't be unpacked: {problem}"
        raise BadBody(msg) from problem
