"""`make sbom`: a document that others' tools read, of what really is in the image."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from tests.support.docker import ROOT

pytestmark = pytest.mark.container

LISTED = """
import importlib.metadata, os
print(len(list(importlib.metadata.distributions())), len(os.listdir("/var/lib/dpkg/status.d")))
"""


def test_lists_everything_the_image_is_made_of(image: str, tmp_path: Path) -> None:
    """Python, its packages and Debian's, each by an address that scanners know."""
    file = tmp_path / "folder/sbom.json"
    command = [sys.executable, str(ROOT / "image/sbom.py"), image, str(file)]
    subprocess.run(command, check=True)
    text = file.read_text("utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    found = [PackageURL.from_string(one["purl"]) for one in json.loads(text)["components"]]
    asked = ["docker", "run", "--rm", "--entrypoint=python3", image, "-c", LISTED]
    counts = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split()
    drivers = [url.type for url in found]
    assert [drivers.count("pypi"), drivers.count("deb")] == [int(count) for count in counts]
    assert drivers.count("generic") == 1
    assert {"requests", "boto3", "libssl3t64", "python"} <= {url.name for url in found}
    assert all(url.version for url in found)
