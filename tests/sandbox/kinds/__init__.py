"""The kinds of targets other than services: one module each, found by their file names."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tests.sandbox.kinds.base import SandboxKind

__all__ = ["KINDS", "SandboxKind"]


def _load() -> dict[str, SandboxKind]:
    """Return the kinds by name; a module is called like its kind, `lambda_` for `lambda`."""
    modules = [one.name for one in iter_modules(__path__) if one.name != "base"]
    return {name.rstrip("_"): import_module(f"{__name__}.{name}").KIND for name in modules}


KINDS = _load()
