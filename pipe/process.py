"""Keep other processes from what belongs to this one: its memory, and the root of its container."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

_PR_SET_DUMPABLE = 4
_IMAGE_OWNER = 65533
"""Owns the files of the pipe's image; see the Dockerfile."""


def protect() -> None:
    """Protect it from deploy tests, which have the same user id."""
    _protect_memory()
    _protect_root_folder()


def _protect_memory() -> None:
    """Make memory and environment of this process readable only with CAP_SYS_PTRACE."""
    if sys.platform != "linux":
        return
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _protect_root_folder() -> None:
    """Keep tests of user 0 from replacing `/lib` or `/bin`, where the pipe is a container's root.

    An image cannot give `/` itself to another user.
    """
    if os.getpid() == 1 and os.getuid() == 0:
        # It fails where tests cannot write it either, as with `docker run --read-only`.
        with contextlib.suppress(OSError):
            os.chown("/", _IMAGE_OWNER, _IMAGE_OWNER)
