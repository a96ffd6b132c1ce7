"""The API of the cluster that KUBECONFIG names."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

Json = dict[str, Any]

HOW_TO_GET_ONE = """\
`make kubernetes` needs kubectl and a cluster that KUBECONFIG, or kubectl's own default, names. It
works in a namespace of its own and removes it. Any of these will do:
  kind create cluster   then LIVE_LOAD='kind load image-archive' make kubernetes
  minikube start        then LIVE_LOAD='minikube image load' make kubernetes
  k3s server            then LIVE_LOAD='k3s ctr images import' make kubernetes
  a test cluster        then make kubernetes; its nodes pull three tags of busybox
CONTRIBUTING.md explains the variables."""

_STRATEGIC = "application/strategic-merge-patch+json"
_MERGE = "application/merge-patch+json"
_TIMEOUT_SECONDS = 30


class NoClusterError(Exception):
    """There is no cluster to use; the message explains how to get one."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}\n\n{HOW_TO_GET_ONE}")


class ApiError(Exception):
    """The cluster refused a request."""

    def __init__(self, method: str, path: str, status: int, text: str) -> None:
        super().__init__(f"{method} {path}: {status} {text[:500]}")
        self.status = status


class Cluster:
    """Requests to the cluster's API; safe to use from many threads."""

    def __init__(self, server: str, verify: str | bool, credentials: Credentials) -> None:
        self.server = server.rstrip("/")
        self._verify = verify
        self._credentials = credentials
        self._local = threading.local()

    @property
    def authority(self) -> str:
        """The cluster's certificate authority in PEM, empty where the usual ones apply."""
        return Path(self._verify).read_text("utf-8") if isinstance(self._verify, str) else ""

    def get(self, path: str, **query: str) -> Any:
        """Return an object, a list, or the text of a log."""
        return self._send("GET", path, query)

    def items(self, path: str, **query: str) -> list[Json]:
        """Return the objects of a list, as the API server has them in memory.

        Reading them from etcd five times a second would slow the cluster down.
        """
        return list(self._send("GET", path, {"resourceVersion": "0", **query})["items"] or [])

    def create(self, path: str, body: Json) -> Json:
        """Create an object in the collection at `path`."""
        created: Json = self._send("POST", path, {}, body)
        return created

    def patch(self, path: str, body: Json) -> Json:
        """Change an object; containers are merged by their names."""
        changed: Json = self._send("PATCH", path, {}, body, _STRATEGIC)
        return changed

    def patch_status(self, path: str, status: Json) -> None:
        """Replace fields of an object's status, as its kubelet or controller does."""
        self._send("PATCH", f"{path}/status", {}, {"status": status}, _MERGE)

    def delete(self, path: str, **query: str) -> None:
        """Delete an object, if it exists."""
        try:
            self._send("DELETE", path, query)
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> Any:
        response = self._session().request(
            method,
            f"{self.server}{path}",
            params=query,
            data=None if body is None else json.dumps(body),
            headers={"Content-Type": content_type},
            timeout=_TIMEOUT_SECONDS,
        )
        if not response.ok:
            raise ApiError(method, path, response.status_code, response.text)
        is_json = "json" in response.headers.get("Content-Type", "")
        return response.json() if is_json else response.text

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.verify = self._verify
            session.cert = self._credentials.certificate
            if self._credentials.token:
                session.headers["Authorization"] = f"Bearer {self._credentials.token}"
            # With proxies from the environment, requests would also take CA files from there.
            session.trust_env = False
            self._local.session = session
        return session


class Credentials:
    """How the user of a kubeconfig identifies itself: a certificate, a token, or both."""

    def __init__(self, user: Mapping[str, Any], folder: Path) -> None:
        user = {**user, **_from_plugin(user.get("exec"))}
        self.token = str(user.get("token") or "")
        if path := user.get("tokenFile"):
            self.token = Path(path).read_text("utf-8").strip()
        self.certificate: tuple[str, str] | None = None
        if user.get("client-certificate-data"):
            self.certificate = (
                _stored(folder / "client.crt", user["client-certificate-data"]),
                _stored(folder / "client.key", user["client-key-data"]),
            )


def connect(folder: Path) -> Cluster:
    """Return the cluster of the current context; `folder` receives its certificates.

    Raises `NoClusterError` if there is none, or it does not answer.
    """
    config = _kubeconfig()
    if not config.get("clusters") or not config.get("users"):
        raise NoClusterError("kubectl has no current context, so there is no cluster to test with.")
    described = config["clusters"][0]["cluster"]
    verify: str | bool = not described.get("insecure-skip-tls-verify", False)
    if verify and described.get("certificate-authority-data"):
        verify = _stored(folder / "ca.crt", described["certificate-authority-data"])
    cluster = Cluster(described["server"], verify, Credentials(config["users"][0]["user"], folder))
    try:
        cluster.get("/version")
    except (requests.RequestException, ApiError) as error:
        raise NoClusterError(
            f"The cluster at {described['server']} does not answer: {error}"
        ) from None
    return cluster


def _kubeconfig() -> Mapping[str, Any]:
    """Return the current context with all certificates inlined, as kubectl itself would use it."""
    if not shutil.which("kubectl"):
        raise NoClusterError("kubectl is not installed.")
    command = ["kubectl", "config", "view", "--raw", "--minify", "--flatten", "--output=json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        where = os.environ.get("KUBECONFIG") or "~/.kube/config"
        raise NoClusterError(f"kubectl cannot use {where}: {done.stderr.strip()}")
    config: Mapping[str, Any] = json.loads(done.stdout)
    return config


def _from_plugin(plugin: Mapping[str, Any] | None) -> Mapping[str, str]:
    """Return what a credential plugin reports, such as that of a cloud's cluster."""
    if not plugin:
        return {}
    variables = {entry["name"]: entry["value"] for entry in plugin.get("env") or []}
    variables["KUBERNETES_EXEC_INFO"] = json.dumps(
        {"apiVersion": plugin["apiVersion"], "kind": "ExecCredential", "spec": {}}
    )
    command: Sequence[str] = [plugin["command"], *(plugin.get("args") or [])]
    done = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NoClusterError(f"{plugin['command']} gives no credentials: {done.stderr.strip()}")
    status = json.loads(done.stdout).get("status") or {}
    encoded = {
        key: base64.b64encode(status[name].encode()).decode()
        for key, name in (
            ("client-certificate-data", "clientCertificateData"),
            ("client-key-data", "clientKeyData"),
        )
        if status.get(name)
    }
    return {"token": status.get("token", ""), **encoded}


def _stored(path: Path, encoded: str) -> str:
    """Write a certificate or key where only this user can read it, as requests takes only files."""
    path.touch(mode=0o600)
    path.write_bytes(base64.b64decode(encoded))
    return str(path)
