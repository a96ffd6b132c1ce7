"""Keep the pipe's memory, environment and privileges away from the tests it runs.

A test has the pipe's user id, because it reads and writes the same clone folder, but none of its
capabilities. The kernel then refuses it `/proc/<pid>/environ`, `mem` and `fd` of the pipe.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import pkgutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITIES = 64
"""More than the kernel has; it rejects the others."""
_CAPABILITY_VERSION_3 = 0x20080522
_PACKAGE = Path(__file__).parents[1]
_LINUX = sys.platform == "linux"


def load_everything() -> None:
    """Import every module of the pipe, so that a test cannot replace one that is loaded later."""
    for module in pkgutil.walk_packages([str(_PACKAGE)], f"{_PACKAGE.name}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def without_privileges(start: Callable[[], T]) -> T:
    """Return what `start` returns; processes that it starts have no capabilities and gain none.

    It runs in a thread of its own, because capabilities belong to a thread and those given up
    never come back.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            _give_up_privileges()
            results.append(start())
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="without privileges")
    thread.start()
    try:
        thread.join()
    finally:
        # After an interrupt as well: a process that is being started must be known to exist.
        thread.join()
    for error in errors:
        raise error
    return results[0]


def _give_up_privileges() -> None:
    """Give up every capability of this thread, and the ability to gain any by executing a file."""
    if not _LINUX:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise _os_error()
    for number in range(_CAPABILITIES):
        # Fails without CAP_SETPCAP, which no_new_privs makes up for.
        libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    if libc.capset(header, none):
        raise _os_error()


def _os_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
