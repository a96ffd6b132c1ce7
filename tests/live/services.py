"""The portal's services over the cluster's workloads: read, changed, restarted."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.kubernetes import portal_view
from tests.kubernetes.portal_view import Variant
from tests.live.cluster import ApiError, Cluster
from tests.live.workloads import COLLECTIONS, collection
from tests.sandbox.stamp import stamp

Json = dict[str, Any]

MAIN_CONTAINER = "duplo-main-container"
_RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


class UnknownNameError(Exception):
    """The cluster has no such workload, or the workload no such container."""


class Services:
    """What the portal keeps for each workload, and how it changes one.

    Kubernetes keeps neither who deployed what and when nor the history of images; the portal does.
    """

    def __init__(self, cluster: Cluster, namespace: str, tenant_id: str, variant: Variant) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._tenant_id = tenant_id
        self._variant = variant
        self._lock = threading.Lock()
        self._deployed: dict[str, Json] = {}
        self._restarted: dict[str, str] = {}
        self._history: dict[str, list[Json]] = defaultdict(list)
        self.changes: dict[str, list[float]] = defaultdict(list)
        """When each service was changed through the portal, in monotonic seconds."""

    def all(self) -> list[Json]:
        """Return every service as the portal lists it."""
        return [
            self._view(workload, kind)
            for kind in COLLECTIONS
            for workload in self._cluster.items(collection(self._namespace, kind))
        ]

    def find(self, name: str) -> Json | None:
        """Return one service as the portal shows it, None if it does not exist."""
        try:
            workload, kind = self.workload(name)
        except UnknownNameError:
            return None
        return self._view(workload, kind)

    def workload(self, name: str) -> tuple[Json, str]:
        """Return a workload and its kind; raise `UnknownNameError`."""
        for kind in COLLECTIONS:
            try:
                return self._cluster.get(self._path(name, kind)), kind
            except ApiError as error:
                if error.status != 404:
                    raise
        raise UnknownNameError(name)

    def established(self, name: str, user: str = "setup") -> None:
        """Note the present images as the first deploy of a service."""
        self._note(name, user)

    def set_images(
        self,
        name: str,
        images: Mapping[str, str],
        user: str,
        environments: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Change images and variables by container name, all of them in one write."""
        workload, _ = self.workload(name)
        pod = workload["spec"]["template"]["spec"]
        changed: dict[str, list[Json]] = defaultdict(list)
        for container, image in images.items():
            own = name if container == MAIN_CONTAINER else container
            section = _section(pod, own)
            entry: Json = {"name": own, "image": image}
            if environments and container in environments:
                entry["env"] = _replaced(pod[section], own, environments[container])
            changed[section].append(entry)
        self._patch(name, {"spec": {"template": {"spec": dict(changed)}}})
        self._note(name, user)

    def restart(self, name: str) -> None:
        """Replace all pods by the workload's own strategy."""
        moment = stamp(datetime.now(UTC))
        annotations = {_RESTARTED_AT: moment}
        self._patch(name, {"spec": {"template": {"metadata": {"annotations": annotations}}}})
        with self._lock:
            self._restarted[name] = moment

    def scale(self, name: str, replicas: int) -> None:
        """Change the number of pods."""
        self._patch(name, {"spec": {"replicas": replicas}})

    def history(self, name: str) -> list[Json]:
        """Return the images of every deploy, oldest first."""
        with self._lock:
            return list(self._history[name])

    def _patch(self, name: str, body: Json) -> None:
        workload, kind = self.workload(name)
        self._cluster.patch(self._path(workload["metadata"]["name"], kind), body)
        with self._lock:
            self.changes[name].append(time.monotonic())

    def _path(self, name: str, kind: str) -> str:
        return f"{collection(self._namespace, kind)}/{name}"

    def _note(self, name: str, user: str) -> None:
        """Note a deploy: who, when and which images."""
        workload, kind = self.workload(name)
        moment = stamp(datetime.now(UTC))
        template = portal_view.service_view(workload, kind)["Template"]
        config = json.loads(template["OtherDockerConfig"] or "{}")
        record = {
            "Image": template["Containers"][0]["Image"],
            "InitContainerImages": _named_images(config.get("initContainers")),
            "AdditionalContainerImages": _named_images(config.get("additionalContainers")),
            "DeployedAt": moment,
        }
        with self._lock:
            self._history[name].append(record)
            self._deployed[name] = {"LastDeployedBy": user, "LastDeployedAt": moment}

    def _view(self, workload: Json, kind: str) -> Json:
        view = portal_view.service_view(workload, kind, self._variant)
        name = view["Name"]
        with self._lock:
            view |= {"TenantId": self._tenant_id, **self._deployed.get(name, {})}
            view["ContainerImageHistory"] = list(self._history[name])
            view["Template"]["RestartTime"] = self._restarted.get(name)
        main = next(
            one
            for one in workload["spec"]["template"]["spec"]["containers"]
            if one["name"] == view["Template"]["Containers"][0]["Name"]
        )
        config = json.loads(view["Template"]["OtherDockerConfig"] or "{}")
        variables = [{"Name": one["name"], "Value": one["value"]} for one in main.get("env") or ()]
        others = {"EnvFrom": main.get("envFrom"), "Resources": main.get("resources")}
        config |= {"Env": variables, **{key: value for key, value in others.items() if value}}
        view["Template"]["OtherDockerConfig"] = json.dumps(config)
        return view


def _section(pod: Json, container: str) -> str:
    for section in ("containers", "initContainers"):
        if any(entry["name"] == container for entry in pod.get(section) or ()):
            return section
    raise UnknownNameError(container)


def _replaced(containers: list[Json], name: str, variables: Mapping[str, str]) -> list[Json]:
    """Return the patch that replaces all variables of a container."""
    present = next(one.get("env") or [] for one in containers if one["name"] == name)
    gone = [one["name"] for one in present if one["name"] not in variables]
    return [
        *({"name": key, "value": value} for key, value in variables.items()),
        *({"name": key, "$patch": "delete"} for key in gone),
    ]


def _named_images(entries: list[Json] | None) -> list[Json]:
    return [{"ContainerName": one["name"], "ImageName": one["image"]} for one in entries or ()]
