"""The environment, read once into a frozen object; nothing else in the pipe reads it."""

from pipe.settings.load import load
from pipe.settings.model import (
    Action,
    AwsSettings,
    ImageRequest,
    ImageRules,
    Keys,
    NotificationSettings,
    Proxies,
    Settings,
    Severity,
    Step,
    Tests,
    Verify,
)

__all__ = [
    "Action",
    "AwsSettings",
    "ImageRequest",
    "ImageRules",
    "Keys",
    "NotificationSettings",
    "Proxies",
    "Settings",
    "Severity",
    "Step",
    "Tests",
    "Verify",
    "load",
]
