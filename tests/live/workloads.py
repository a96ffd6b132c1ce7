"""The services of the cases: Deployments, StatefulSets and DaemonSets whose new version misbehaves.

All versions are the same program, a script of the workload, which finds out from its image which
version it is. So an image change alone changes what happens, as with a real application.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.live.images import Images, tag

Json = dict[str, Any]
Kind = Literal["Deployment", "StatefulSet", "DaemonSet"]
Conduct = Literal["ok", "late", "never", "crash", "crash-twice", "hog", "done"]

OWN_NAME = "$NAME"
"""Stands for the service's own name in `Service.pod` and `Service.spec`."""

COLLECTIONS: dict[str, str] = {
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets",
}

LATE_SECONDS = 8
CRASH_MESSAGE = "cannot connect to database db:5432: connection refused"
_SCRIPT = f"""\
version=${{VERSION:-$(busybox | head -n 1)}}
case "$version" in *"$NEW_VERSION"*) conduct=$NEW_CONDUCT ;; *) conduct=$OLD_CONDUCT ;; esac
trap 'echo "SIGTERM received"; exit 0' TERM
serve() {{ touch /tmp/ready; echo "$version serves"; idle; }}
idle() {{ while :; do sleep 1 & wait $!; done; }}
case "$conduct" in
  ok) serve ;;
  late) sleep {LATE_SECONDS} & wait $!; serve ;;
  never) idle ;;
  crash) echo "{CRASH_MESSAGE}" >&2; exit 1 ;;
  crash-twice)
    ends=$(cat /data/ends 2>/dev/null || echo 0)
    echo $((ends + 1)) >/data/ends
    [ "$ends" -ge 2 ] || exit 1
    serve ;;
  hog) sleep 1; exec tail /dev/zero ;;
  done) exit 0 ;;
esac
"""
_PROBE = {"exec": {"command": ["cat", "/tmp/ready"]}, "periodSeconds": 1, "timeoutSeconds": 5}
_STOP_SECONDS = 2


@dataclass(frozen=True)
class Service:
    """A service; `new`, `sidecar` and `init` are what its containers do in the new version.

    `memory` limits the main container, whose variables also come from the secret of the service's
    name if it `has_secret`. `pod` and `spec` are added to the pod's and the workload's own
    specification.
    """

    new: Conduct = "ok"
    kind: Kind = "Deployment"
    replicas: int = 3
    probe: bool = True
    sidecar: Conduct | None = None
    init: Conduct | None = None
    memory: str = ""
    has_secret: bool = False
    pod: Json = field(default_factory=dict)
    spec: Json = field(default_factory=dict)


def collection(namespace: str, kind: str) -> str:
    """Return the path of the workloads of one kind."""
    return f"/apis/apps/v1/namespaces/{namespace}/{COLLECTIONS[kind]}"


def manifest(name: str, service: Service, images: Images) -> Json:
    """Return the workload in the old version."""
    spec: Json = {
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {
                "terminationGracePeriodSeconds": _STOP_SECONDS,
                "volumes": [{"name": "data", "emptyDir": {}}],
                "initContainers": _init_containers(service, images),
                "containers": _containers(name, service, images),
                **service.pod,
            },
        },
        **service.spec,
    }
    if service.kind != "DaemonSet":
        spec["replicas"] = service.replicas
    if service.kind == "StatefulSet":
        spec["serviceName"] = name
    metadata = {"name": name, "labels": {"app": name}}
    spec = json.loads(json.dumps(spec).replace(OWN_NAME, name))
    return {"apiVersion": "apps/v1", "kind": service.kind, "metadata": metadata, "spec": spec}


def _containers(name: str, service: Service, images: Images) -> list[Json]:
    main = _container(name, images, service.new)
    if service.probe:
        main["readinessProbe"] = _PROBE
    if service.memory:
        main["resources"] = {"limits": {"memory": service.memory}}
    if service.has_secret:
        main["envFrom"] = [{"secretRef": {"name": name}}]
    sidecar = [_container("log", images, service.sidecar)] if service.sidecar else []
    return [main, *sidecar]


def _init_containers(service: Service, images: Images) -> list[Json]:
    return [_container("migrate", images, service.init, old="done")] if service.init else []


def _container(name: str, images: Images, new: Conduct, old: Conduct = "ok") -> Json:
    variables = {"NEW_VERSION": tag(images.new), "NEW_CONDUCT": new, "OLD_CONDUCT": old}
    return {
        "name": name,
        "image": images.old,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", _SCRIPT],
        "env": [{"name": key, "value": value} for key, value in variables.items()],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
