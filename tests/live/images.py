"""The three versions of the application, and registries that nodes pull from.

An image holds busybox and its version, nothing else: what a version does is in the workload
(`tests/live/workloads.py`). So three public tags of busybox are as good.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shlex
import shutil
import struct
import subprocess
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flask import Flask, Response

from tests.sandbox.listener import Listener

_APPLETS = ("cat", "head", "sh", "sleep", "tail", "touch")
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_NO_CREATION_TIME = "1970-01-01T00:00:00Z"
_OWN = ("pipe-live/app:1", "pipe-live/app:2", "pipe-live/app:3")
_PUBLIC = ("busybox:1.35.0", "busybox:1.36.1", "busybox:1.37.0")
_INTERPRETED = 3
"""The type of an ELF program header that names a dynamic linker."""
_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


@dataclass(frozen=True)
class Images:
    """The images that the cases use.

    `absent` is in no registry. `registry` is the address of this machine that nodes pull from
    over plain HTTP, host and port; it is empty where nodes cannot.
    """

    old: str
    new: str
    other: str
    absent: str
    registry: str = ""


class ImageError(Exception):
    """The images cannot be made or loaded."""


def prepare(folder: Path) -> Images:
    """Return the images that LIVE_IMAGES names, or load ones with LIVE_LOAD."""
    names = check()
    if load := shlex.split(os.environ.get("LIVE_LOAD", "")):
        for name in names:
            _load(load, name, folder)
    registry = os.environ.get("LIVE_REGISTRY", "")
    absent = f"{registry}/pipe-live/app:absent" if registry else f"{_repository(names[0])}:absent"
    old, new, other = names
    return Images(old, new, other, absent, registry)


def check() -> list[str]:
    """Return the names of the three images; raise `ImageError` for settings that cannot work."""
    loads = bool(os.environ.get("LIVE_LOAD", ""))
    names = os.environ.get("LIVE_IMAGES", "").split() or [*(_OWN if loads else _PUBLIC)]
    if len({tag(name) for name in names}) != 3:
        raise ImageError("LIVE_IMAGES must name three images with different tags.")
    if loads or os.environ.get("LIVE_REGISTRY"):
        busybox()
    return names


def tag(image: str) -> str:
    """Return the tag of an image."""
    return image.rpartition(":")[2]


def _repository(image: str) -> str:
    return image.rpartition(":")[0]


def _load(command: list[str], name: str, folder: Path) -> None:
    """Put one image onto the nodes."""
    archive = folder / f"{tag(name)}.tar"
    archive.write_bytes(docker_archive(name))
    done = subprocess.run(
        [*command, str(archive)], capture_output=True, text=True, check=False, timeout=120
    )
    archive.unlink()
    if done.returncode:
        raise ImageError(f"{shlex.join(command)} failed: {done.stderr.strip()}")


def docker_archive(name: str) -> bytes:
    """Return an image in the format of `docker save`."""
    config, layer = _config(tag(name)), _layer()
    config_name = f"{_sha256(config)}.json"
    described = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    files = {config_name: config, "layer.tar": layer, "manifest.json": _json(described)}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, content in files.items():
            _add(archive, path, content)
    return out.getvalue()


def serve_registry(port: int, *tags: str) -> Listener:
    """Return a registry that has these versions of every repository, and no others."""
    manifests = {one: _manifest(one) for one in tags}
    manifests |= {f"sha256:{_sha256(body)}": body for body in manifests.values()}
    blobs = {f"sha256:{_sha256(body)}": body for body in (_layer(), *map(_config, tags))}
    app = Flask("registry", static_folder=None)

    @app.get("/v2/")
    def base() -> Response:
        return Response("{}", content_type="application/json")

    @app.get("/v2/<path:repository>/manifests/<reference>")
    def manifest(repository: str, reference: str) -> Response:
        return _content(manifests.get(reference), _MANIFEST, "MANIFEST_UNKNOWN")

    @app.get("/v2/<path:repository>/blobs/<digest>")
    def blob(repository: str, digest: str) -> Response:
        return _content(blobs.get(digest), "application/octet-stream", "BLOB_UNKNOWN")

    return Listener(app.wsgi_app, port=port)


def digest(version: str) -> str:
    """Return the digest under which these registries have a version."""
    return f"sha256:{_sha256(_manifest(version))}"


def _content(body: bytes | None, content_type: str, problem: str) -> Response:
    if body is None:
        error = {"errors": [{"code": problem, "message": problem.lower().replace("_", " ")}]}
        return Response(_json(error), 404, content_type="application/json")
    digest = f"sha256:{_sha256(body)}"
    return Response(body, content_type=content_type, headers={"Docker-Content-Digest": digest})


def _manifest(version: str) -> bytes:
    parts = ((_CONFIG, _config(version)), (_LAYER, _layer()))
    config, layer = (
        {"mediaType": kind, "digest": f"sha256:{_sha256(body)}", "size": len(body)}
        for kind, body in parts
    )
    return _json({"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": [layer]})


def _config(version: str) -> bytes:
    return _json(
        {
            "architecture": _ARCHITECTURE,
            "os": "linux",
            "created": _NO_CREATION_TIME,
            "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin", f"VERSION={version}"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_sha256(_layer())}"]},
            "history": [{"created": _NO_CREATION_TIME}],
        }
    )


@cache
def _layer() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, mode in (("bin", 0o755), ("tmp", 0o1777)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            archive.addfile(folder)
        _add(archive, "bin/busybox", busybox().read_bytes(), 0o755)
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return out.getvalue()


def busybox() -> Path:
    """Return this machine's busybox, which must be a static program."""
    path = Path(os.environ.get("LIVE_BUSYBOX") or shutil.which("busybox") or "busybox")
    if not path.exists() or not _is_static(path.read_bytes()):
        raise ImageError(
            f"{path} is not a static busybox, of which the images are made. Install one (Debian: "
            "busybox-static), or name it in LIVE_BUSYBOX."
        )
    return path


def _is_static(program: bytes) -> bool:
    """Return whether a 64-bit ELF program starts without a dynamic linker."""
    if not program.startswith(b"\x7fELF\x02"):
        return False
    (table,) = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    kinds = (struct.unpack_from("<I", program, table + size * row)[0] for row in range(count))
    return _INTERPRETED not in kinds


def _add(archive: tarfile.TarFile, path: str, content: bytes, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(path)
    member.size, member.mode = len(content), mode
    archive.addfile(member, io.BytesIO(content))


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
