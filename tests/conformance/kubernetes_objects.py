"""Kubernetes objects held against the schemas that Kubernetes publishes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_VERSION = "1.31.0"
"""Old enough that every field a job uses is in clusters by now, new enough to be strict."""
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
        problems = _validator().iter_errors({"apiVersion": "batch/v1", "kind": "Job", **own})
        if problem := next(iter(problems), None):
            where = ".".join(map(str, problem.absolute_path))
            raise ValueError(f"{where}: {problem.message[:300]}")
        return cls(document)

    def to_dict(self) -> dict[str, Any]:
        """Return it as it was loaded."""
        return self._document


@cache
def _validator() -> Validator:
    """Return the validator of jobs; `kubernetes_validate.validate` would build it each time."""
    # The imports take longer than most tests, and few tests have jobs.
    from jsonschema import Draft202012Validator  # noqa: PLC0415
    from kubernetes_validate.utils import schema_contents  # noqa: PLC0415
    from referencing import Registry, Resource  # noqa: PLC0415

    folder = f"kubernetes-json-schema/v{_VERSION}-local-strict"
    job = schema_contents(f"{folder}/job-batch-v1.json", _VERSION)
    definitions = schema_contents(f"{folder}/_definitions.json", _VERSION)
    registry = Resource.from_contents(definitions) @ Registry()
    return Draft202012Validator(job, registry=registry)
