"""The environment, read once into a frozen `Settings`; no other package reads it."""

from pipe.settings.load import load
from pipe.settings.model import (
    Action,
    AwsSettings,
    DeployTestSettings,
    FromPortal,
    ImageRequest,
    ImageRules,
    Keys,
    KubernetesView,
    NotificationSettings,
    Place,
    Proxies,
    Settings,
    Severity,
    Step,
    TenantCommandSettings,
    Verify,
)

__all__ = [
    "Action",
    "AwsSettings",
    "DeployTestSettings",
    "FromPortal",
    "ImageRequest",
    "ImageRules",
    "Keys",
    "KubernetesView",
    "NotificationSettings",
    "Place",
    "Proxies",
    "Settings",
    "Severity",
    "Step",
    "TenantCommandSettings",
    "Verify",
    "load",
]
