"""Files in folders that others can write to: the clone folder and the report folders.

A repository can contain links, and an earlier step can leave links, named pipes, devices or files
of any size. Therefore only regular files are read, never waiting for one and never more than a
limit. A file is written under a random name that did not exist, then renamed, which replaces a
link or a special file instead of writing to it.

Links in the folders of a path are followed, because people do link their report folders. The most
that such a link achieves is that reports, whose names the pipe chooses, appear in another folder
that the pipe can write to, and that a record is read there, which has to be authentic.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE = 0o644
"""Later steps may run as another user and read the reports."""


def read(path: Path, most: int, *, follow: bool = False) -> bytes:
    """Return the content of a regular file; `follow` allows links that end in one.

    Raises `OSError` for anything else, and for a file of more than `most` bytes. Raises
    `ValueError` for a path that cannot exist.
    """
    try:
        descriptor = os.open(path, _READ if follow else _READ | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.ELOOP and not follow:
            raise OSError(errno.ELOOP, "a symbolic link") from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return _read(descriptor, most)
    finally:
        os.close(descriptor)


def replace(path: Path, content: bytes) -> None:
    """Put a new file with this content in the place of whatever `path` names, at once."""
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(temporary, _CREATE, _MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _read(descriptor: int, most: int) -> bytes:
    # The size is not asked for: that of files in /proc is 0, and others may still grow.
    content = bytearray()
    while part := os.read(descriptor, min(most + 1 - len(content), 1 << 20)):
        content += part
        if len(content) > most:
            raise OSError(errno.EFBIG, f"larger than {most >> 20} MiB")
    return bytes(content)
