"""What is loaded when: first what the first request needs, the rest while the portal answers.

A module belongs to the first part if `pipe.run` imports it at once, and to the rest if only
`pipe.composition` does. `python -X importtime -m pipe` shows the order, and
tests/process/test_imports.py keeps it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
import threading
from collections.abc import Iterator

_SWITCH_SECONDS = 0.0002
"""How long loading may hold up the thread that sends the first request, usually 5 ms."""


def begin() -> None:
    """Collect no garbage until everything is loaded: loaded modules are none."""
    gc.disable()


@contextlib.contextmanager
def in_background(module: str) -> Iterator[None]:
    """Load a module and what it imports while the body runs; importing it then waits for it."""
    if module in sys.modules:
        yield
        return
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    threading.Thread(target=_load, args=(module,), name="loading", daemon=True).start()
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def finished() -> None:
    """Collect garbage again, but not among the modules."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _load(module: str) -> None:
    # A defect is raised again where the module is imported.
    with contextlib.suppress(Exception):
        importlib.import_module(module)
