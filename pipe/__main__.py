"""The entry point: environment in, exit code out.

Libraries read more of the environment than the pipe promises: certificates (SSL_CERT_FILE,
REQUESTS_CA_BUNDLE), code to load (OPENSSL_CONF, BOTOCORE_EXPERIMENTAL__PLUGINS), credentials and
addresses (AWS_*, DOCKER_CONFIG, NETRC), and files in HOME. So the pipe takes a copy of the
environment, leaves libraries nothing of it, and passes on what counts.
"""

import ctypes
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

_SEEN_BY_LIBRARIES = ("CI", "FORCE_COLOR", "NO_COLOR")
"""CI decides how the toolkit reaches Code Insights; the others are for colorlog."""
_NO_HOME = "/dev/null"
"""No file is below it. Without HOME, libraries would look up the user's home folder."""


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End the run as Ctrl-C does; ignore further signals so that the report can be finished."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def take_environment() -> dict[str, str]:
    """Return a copy of the environment, and hide the environment from libraries."""
    environ = dict(os.environ)
    _erase_variables()
    os.environ.clear()
    seen = {name: environ[name] for name in _SEEN_BY_LIBRARIES if name in environ}
    os.environ.update(seen, HOME=_NO_HOME)
    return environ


def _erase_variables() -> None:
    """Erase the values that `/proc/<pid>/environ` shows: unsetting a variable leaves its text."""
    if sys.platform != "linux":
        return
    entries = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), "environ")
    index = 0
    while address := entries[index]:
        name, _, value = ctypes.string_at(address).partition(b"=")
        ctypes.memset(address + len(name) + 1, 0, len(value))
        index += 1


def main() -> int:
    """Run the pipe once."""
    # First of all: OpenSSL and botocore read some variables when they are loaded.
    environ = take_environment()
    from pipe import authorities, loading, process  # noqa: PLC0415

    loading.begin()
    authorities.read_early()
    process.protect()
    from pipe.dependencies import Dependencies  # noqa: PLC0415
    from pipe.guard import guard_process  # noqa: PLC0415
    from pipe.run import run  # noqa: PLC0415
    from pipe.secret import Mask  # noqa: PLC0415

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    mask = Mask()
    guard_process(mask)
    return run(environ, Dependencies(), mask)


if __name__ == "__main__":
    sys.exit(main())
