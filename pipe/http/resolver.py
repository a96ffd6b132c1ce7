"""Host names to addresses, within a time limit."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence

SECONDS = 5.0
"""As long as a connection may take; the system's resolver may take half a minute."""

Resolve = Callable[[str], Sequence[str]]
"""Returns the addresses of a host; raises `OSError`, `UnicodeError` or `TimeoutError`."""


def resolve(host: str, seconds: float = SECONDS) -> Sequence[str]:
    """Return the addresses of a host; raise `TimeoutError` if that takes longer than `seconds`.

    Nothing can stop the system's resolver, so a thread that is late is left behind; it does not
    keep the process from ending.
    """
    found: list[str] = []
    failures: list[Exception] = []

    def look_up() -> None:
        try:
            entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            found.extend(str(address[0]) for *_, address in entries)
        except Exception as error:  # noqa: BLE001 - raised by the caller's thread
            failures.append(error)

    thread = threading.Thread(target=look_up, name="resolver", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        message = f"{host} was not resolved within {seconds:g} s"
        raise TimeoutError(message)
    if failures:
        raise failures[0]
    return tuple(found)
