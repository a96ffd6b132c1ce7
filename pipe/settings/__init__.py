"""The environment, read once into a frozen object; nothing else in the pipe reads it."""

from pipe.settings.load import load
from pipe.settings.model import (
    Action,
    Aws,
    ImageRules,
    Keys,
    Proxies,
    Settings,
    Severity,
    Step,
    Telling,
    Tests,
    Verify,
    Wish,
)

__all__ = [
    "Action",
    "Aws",
    "ImageRules",
    "Keys",
    "Proxies",
    "Settings",
    "Severity",
    "Step",
    "Telling",
    "Tests",
    "Verify",
    "Wish",
    "load",
]
