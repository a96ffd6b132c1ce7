"""Kubernetes objects held against the schemas that Kubernetes publishes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_VERSION = "1.31.0"
"""Old enough that every field in use is in clusters by now, new enough to be strict."""
_BEYOND = ("IsAnyHostAllowed", "AllocationTags")
"""What the portal adds to a job, apart from Kubernetes' own fields."""


class KubernetesJob:
    """A job as the portal takes and shows it: no kind, two fields more, and no unknown ones."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    @classmethod
    def from_dict(cls, obj: dict[str, Any] | None) -> KubernetesJob:
        """Load a job; raises `ValueError` for one that Kubernetes has no place for."""
        document = dict(obj or {})
        own = {key: value for key, value in document.items() if key not in _BEYOND}
        if surplus := {"kind", "apiVersion"} & set(own):
            raise ValueError(f"the portal adds {', '.join(sorted(surplus))}")
        check({"apiVersion": "batch/v1", "kind": "Job", **own})
        return cls(document)

    def to_dict(self) -> dict[str, Any]:
        """Return it as it was loaded."""
        return self._document


def check(body: dict[str, Any]) -> None:
    """Raise `ValueError` for an object that Kubernetes has no place for."""
    group, _, version = body["apiVersion"].rpartition("/")
    name = "-".join(filter(None, (body["kind"].lower(), group, version)))
    if problem := next(iter(_validator(name).iter_errors(body)), None):
        where = ".".join(map(str, problem.absolute_path))
        raise ValueError(f"{where}: {problem.message[:300]}")


@cache
def _validator(name: str) -> Validator:
    """Return the validator of a kind; `kubernetes_validate.validate` would build it each time."""
    # The imports take longer than most tests, and few tests have such objects.
    from jsonschema import Draft202012Validator  # noqa: PLC0415
    from kubernetes_validate.utils import schema_contents  # noqa: PLC0415
    from referencing import Registry, Resource  # noqa: PLC0415

    folder = f"kubernetes-json-schema/v{_VERSION}-local-strict"
    schema = schema_contents(f"{folder}/{name}.json", _VERSION)
    definitions = schema_contents(f"{folder}/_definitions.json", _VERSION)
    registry = Resource.from_contents(definitions) @ Registry()
    return Draft202012Validator(schema, registry=registry)
