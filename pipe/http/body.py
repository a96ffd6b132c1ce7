"""Bodies of responses, piece by piece as they arrive."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import urllib3

from pipe.http.failures import BodyTooLarge

_PIECE = 1 << 16
"""Bytes to wait for: each of thousands of small reads would go through all layers of libraries.

Larger pieces would each be new memory to the kernel, which takes longer than to decrypt them.
"""
StreamDecoder = Callable[[Iterable[bytes]], Any]
"""Decodes a body while it arrives, so that a long one is never held as a whole."""


class Body:
    """The pieces of a body, to go through once.

    `size` bytes have arrived so far, of which `beginning` is the first piece. Going through it
    raises `BodyTooLarge` for more than `most` bytes.
    """

    def __init__(self, response: urllib3.BaseHTTPResponse, most: int) -> None:
        self._response = response
        self._most = most
        self.size = 0
        self.beginning = b""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the pieces."""
        if (self._response.length_remaining or 0) > self._most:
            raise BodyTooLarge
        # What needs no decoding is not copied.
        is_encoded = "Content-Encoding" in self._response.headers
        # A server that drips meets `time_limit`, which sees bytes as they arrive.
        while piece := self._response.read(_PIECE, decode_content=is_encoded):
            self.size += len(piece)
            if self.size > self._most:
                raise BodyTooLarge
            self.beginning = self.beginning or piece
            yield piece

    def whole(self) -> bytes:
        """Return all of it."""
        # getvalue() does not copy.
        received = io.BytesIO()
        for piece in self:
            received.write(piece)
        return received.getvalue()

    def decoded(self, stream: StreamDecoder) -> Callable[[], Any]:
        """Decode it; return what returns the result from then on, or raises the error."""
        try:
            result = stream(self)
        except (ValueError, RecursionError, MemoryError) as error:
            problem = error.with_traceback(None)

            def fail() -> Any:
                raise problem

            return fail
        return lambda: result
