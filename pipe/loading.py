"""What is loaded when: first what the first request needs, the rest while the portal answers.

There are three parts. Sending the first request takes the settings, a socket and TLS, no more:
`pipe.run` imports that at once. The log, and the HTTP client that reads the response, are what
`pipe.rest_of_run` imports. The rest of the program is what only `pipe.composition` imports.

Where the first request has to be sent by the HTTP client, because of a proxy, the program is
loaded in a thread while the portal answers. `python -X importtime -m pipe` shows the order, and
tests/process/test_imports.py keeps it.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
from importlib import import_module


def begin() -> None:
    """Prepare for loading: without garbage collection, as modules are no garbage."""
    gc.disable()


def rest(*, with_composition: bool) -> None:
    """Load what a run needs after its first request; the program only if that was sent already."""
    # requests imports it to guess the encoding of texts, which the pipe never asks for.
    postpone("charset_normalizer")
    # Unlike import_module, it shows the modules among the times of `-X importtime`.
    __import__("pipe.rest_of_run")
    if with_composition:
        __import__("pipe.composition")


def postpone(package: str) -> None:
    """Let a package be imported without loading more than its version until it is used."""
    from importlib.util import find_spec, module_from_spec  # noqa: PLC0415 - see above

    if package in sys.modules:
        return
    spec = find_spec(package)
    if spec is None or spec.loader is None:
        return
    loader, module = spec.loader, module_from_spec(spec)

    def load(name: str) -> object:
        if name == "__version__":
            return import_module(f"{package}.version").__version__
        vars(module).pop("__getattr__", None)
        loader.exec_module(module)
        return getattr(module, name)

    vars(module)["__getattr__"] = load
    sys.modules[package] = module


def start(module: str) -> None:
    """Load a module and what it imports in a thread; importing it then waits for it."""
    if module not in sys.modules:
        # Without a thread it is loaded where it is imported.
        with contextlib.suppress(RuntimeError):
            threading.Thread(target=_load, args=(module,), name="loading", daemon=True).start()


def finished() -> None:
    """Collect garbage again, but not among the modules."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _load(module: str) -> None:
    # A defect is raised again where the module is imported.
    with contextlib.suppress(Exception):
        __import__(module)  # See above.
