"""The certificate authorities that every run trusts, read while modules are loaded.

OpenSSL takes longer to read them than for a handshake, but does not need the interpreter for it.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import threading
from importlib.machinery import PathFinder

_read: list[ssl.SSLContext] = []
_reading: list[threading.Thread] = []


def read_early() -> None:
    """Begin to read them in a thread, for the first call of `usual_authorities`."""

    def read() -> None:
        # Whatever fails here fails again in `usual_authorities`.
        with contextlib.suppress(OSError):
            _read.append(_context())

    # Not a daemon: a process that ends while OpenSSL reads, with bad settings say, would crash.
    thread = threading.Thread(target=read, name="authorities")
    # Without a thread they are read when they are needed.
    with contextlib.suppress(RuntimeError):
        thread.start()
        _reading.append(thread)


def usual_authorities() -> ssl.SSLContext:
    """Return a new context for TLS 1.2 or newer that trusts them.

    `ssl.create_default_context` would also read SSL_CERT_FILE, SSL_CERT_DIR and SSLKEYLOGFILE.
    """
    while _reading:
        _reading.pop().join()
    return _read.pop() if _read else _context()


def bundle() -> str:
    """Return the path of certifi's file.

    `certifi.where` returns it too, but imports thirty modules, before the first request.
    """
    spec = PathFinder.find_spec("certifi")
    folders = (spec and spec.submodule_search_locations) or [""]
    return f"{folders[0]}/cacert.pem"


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    context.load_verify_locations(bundle())
    _load_system_authorities(context)
    return context


def _load_system_authorities(context: ssl.SSLContext) -> None:
    """Trust the authorities at the paths that OpenSSL was built with, whatever variables name."""
    paths = ssl.get_default_verify_paths()
    # In the image the file is certifi's, and reading it twice would take twice as long.
    if os.path.realpath(paths.openssl_cafile) != os.path.realpath(bundle()):
        # A machine may have a file, a folder of hashed names, both or neither.
        with contextlib.suppress(OSError):
            context.load_verify_locations(cafile=paths.openssl_cafile)
    with contextlib.suppress(OSError):
        context.load_verify_locations(capath=paths.openssl_capath)
