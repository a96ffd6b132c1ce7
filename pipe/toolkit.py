"""Atlassian's toolkit for pipes, without the parts that a run does not use.

Importing the package loads a YAML parser and a validator, which takes longer than everything that
the pipe itself does before its first request. Its log and result lines need neither.
"""

from __future__ import annotations

import logging
import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

_PACKAGE = "bitbucket_pipes_toolkit"
_MODULE = f"{_PACKAGE}.helpers"


def _log_module() -> ModuleType:
    """Load the module of the log and the result lines, and configure the log."""
    if _PACKAGE in sys.modules:
        return sys.modules[_MODULE]
    package = find_spec(_PACKAGE)
    folders = package.submodule_search_locations if package else None
    spec = PathFinder.find_spec(_MODULE, folders)
    if spec is None or spec.loader is None:
        raise ImportError(f"The toolkit has no module {_MODULE}.", name=_MODULE)
    module = module_from_spec(spec)
    # The package uses this module too, if it is imported later.
    sys.modules[_MODULE] = module
    spec.loader.exec_module(module)
    module.configure_logger()
    # The package would configure the log again: every line twice, once without the mask.
    vars(module)["configure_logger"] = module.get_logger
    return module


_module = _log_module()


def get_logger() -> logging.Logger:
    """Return the log, whose handler has the toolkit's style."""
    logger: logging.Logger = _module.get_logger()
    return logger


def show_result(line: str, *, good: bool) -> None:
    """Print the last line of a run."""
    (_module.success if good else _module.fail)(line, do_exit=False)


def code_insights(repository: str, workspace: str) -> Any:
    """Return the toolkit's client for reports on a commit."""
    from bitbucket_pipes_toolkit import CodeInsights  # noqa: PLC0415 - see above

    return CodeInsights(repository, workspace)
