"""What the image consists of, by compressed size.

Usage: contents.py IMAGE
"""

import io
import json
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping

MEGABYTE = 1_000_000

PARTS: Mapping[str, Iterable[str]] = {
    "the pipe": ("pipe",),
    "boto3 and botocore, with the models of three services": (
        *("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six"),
    ),
    "requests and urllib3": ("certifi", "charset_normalizer", "idna", "requests", "urllib3"),
    "Docker's client": ("docker",),
    "Atlassian's toolkit": ("bitbucket_pipes_toolkit", "cerberus", "colorama", "colorlog", "yaml"),
}
"""Packages by what needs them; licences and versions of all are a part of their own."""

LIBRARIES = {
    "OpenSSL": ("libcrypto", "libssl", "libzstd"),
    "the C library": ("ld-", "libc.", "libgcc_s", "libm.", "libpthread", "libresolv"),
}


def main(image: str) -> None:
    """Print one line for each part, and the sum."""
    sizes = parts(image)
    for name, size in sorted(sizes.items(), key=lambda part: -part[1]):
        print(f"{size / MEGABYTE:6.2f} MB  {name}")
    print(f"{sum(sizes.values()) / MEGABYTE:6.2f} MB")


def parts(image: str) -> Mapping[str, int]:
    """Return the compressed size of each part, in bytes; the sum is that of the whole image."""
    sizes: Counter[str] = Counter()
    with tempfile.TemporaryFile() as file:
        command = ["docker", "save", image]
        subprocess.run(command, stdout=file, check=True)
        file.seek(0)
        with tarfile.open(fileobj=file) as saved:
            for name in json.loads(content(saved, "manifest.json"))[0]["Layers"]:
                add_layer(content(saved, name), sizes)
    return sizes


def content(archive: tarfile.TarFile, name: str) -> bytes:
    """Return the content of a file in an archive, empty for anything else."""
    file = archive.extractfile(name)
    return file.read() if file else b""


def add_layer(layer: bytes, sizes: Counter[str]) -> None:
    """Add the compressed sizes of a layer's entries to those of their parts."""
    packer = zlib.compressobj(6)
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        for entry in archive:
            text = entry.tobuf() + (content(archive, entry.name) if entry.isreg() else b"")
            # A few bytes more than without a flush after each entry.
            packed = packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)
            sizes[part(entry.name)] += len(packed)


def part(path: str) -> str:
    """Return the part that a path of the image belongs to."""
    name = path.rpartition("/")[2]
    if "/site-packages/" in path:
        package = path.partition("/site-packages/")[2].partition("/")[0]
        if package.endswith(".dist-info"):
            return "licences and versions of the packages"
        package = package.partition(".")[0]
        found = (what for what, packages in PARTS.items() if package in packages)
        return next(found, "other packages")
    if path.startswith("usr/local/lib/python3"):
        return "Python's standard library"
    if path.startswith("usr/local/bin/") or name.startswith("libpython"):
        return "Python's interpreter"
    if path.startswith("usr/lib") and name.startswith(("lib", "ld-")):
        found = (what for what, names in LIBRARIES.items() if name.startswith(names))
        return next(found, "other libraries")
    if path.startswith("usr/bin/"):
        return "shell and tools (busybox)"
    if path.startswith("etc/ssl/"):
        return "certificate authorities"
    return "documents, folders, time zone UTC, list of Debian's packages"


if __name__ == "__main__":
    main(sys.argv[1])
