"""A real registry, where one is installed (Debian: docker-registry)."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import requests
import yaml

BINARY = shutil.which("docker-registry") or shutil.which("registry")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"


class Registry:
    """A registry on a free port of this machine, with its files below `folder`."""

    def __init__(self, folder: Path, auth: Any = None) -> None:
        assert BINARY is not None
        folder.mkdir(parents=True, exist_ok=True)
        self.port = _free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.session = requests.Session()
        self.session.trust_env = False
        settings: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "http": {"addr": self.host},
        }
        if auth:
            settings["auth"] = auth
        config = folder / "config.yml"
        config.write_text(yaml.safe_dump(settings), "utf-8")
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [BINARY, "serve", str(config)], stdout=self._log, stderr=subprocess.STDOUT
        )

    def __enter__(self) -> Self:
        for _ in range(200):
            try:
                self.session.get(f"http://{self.host}/v2/", timeout=2)
            except requests.ConnectionError:
                time.sleep(0.05)
            else:
                return self
        raise AssertionError("the registry did not start")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._log.close()
        self.session.close()

    def push(self, repository: str, tag: str, architecture: str = "amd64") -> str:
        """Push an image whose content is its tag; return its digest."""
        config = json.dumps({"architecture": architecture, "os": "linux", "tag": tag}).encode()
        described = {
            "mediaType": _CONFIG,
            "digest": self._blob(repository, config),
            "size": len(config),
        }
        return self.put(repository, tag, MANIFEST, {"config": described, "layers": []})

    def push_index(self, repository: str, tag: str, digests: list[str]) -> str:
        """Push an index of existing images; return its digest."""
        entries = [
            {
                "mediaType": MANIFEST,
                "digest": digest,
                "size": len(self._manifest(repository, digest)),
                "platform": {"os": "linux", "architecture": architecture},
            }
            for digest, architecture in zip(digests, ("amd64", "arm64"), strict=False)
        ]
        return self.put(repository, tag, INDEX, {"manifests": entries})

    def put(self, repository: str, reference: str, media_type: str, parts: Any) -> str:
        """Store a manifest; return its digest."""
        body = json.dumps({"schemaVersion": 2, "mediaType": media_type, **parts}).encode()
        url = f"http://{self.host}/v2/{repository}/manifests/{reference}"
        headers = {"Content-Type": media_type}
        self._done(self.session.put(url, data=body, headers=headers, timeout=10))
        return _sha256(body)

    def _blob(self, repository: str, content: bytes) -> str:
        url = f"http://{self.host}/v2/{repository}/blobs/uploads/"
        where = self._done(self.session.post(url, timeout=10)).headers["Location"]
        joint = "&" if "?" in where else "?"
        digest = _sha256(content)
        url = f"{where}{joint}digest={digest}"
        self._done(self.session.put(url, data=content, timeout=10))
        return digest

    def _manifest(self, repository: str, digest: str) -> bytes:
        url = f"http://{self.host}/v2/{repository}/manifests/{digest}"
        return self._done(self.session.get(url, headers={"Accept": MANIFEST}, timeout=10)).content

    def _done(self, response: requests.Response) -> requests.Response:
        assert response.ok, response.text
        return response


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
