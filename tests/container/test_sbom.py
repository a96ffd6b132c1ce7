"""`make sbom` writes a valid document of what the image really contains."""

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


def test_lists_every_component_of_the_image(image: str, tmp_path: Path) -> None:
    """Python, its packages and Debian's have package URLs that scanners know."""
    file = tmp_path / "folder/sbom.json"
    command = [sys.executable, str(ROOT / "image/sbom.py"), image, str(file)]
    subprocess.run(command, check=True)
    text = file.read_text("utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    urls = [PackageURL.from_string(one["purl"]) for one in json.loads(text)["components"]]
    list_installed = ["docker", "run", "--rm", "--entrypoint=python3", image, "-c", LISTED]
    counts = subprocess.run(
        list_installed, check=True, capture_output=True, text=True
    ).stdout.split()
    types = [url.type for url in urls]
    assert [types.count("pypi"), types.count("deb")] == [int(count) for count in counts]
    assert types.count("generic") == 1
    assert {"requests", "boto3", "libssl3t64", "python"} <= {url.name for url in urls}
    assert all(url.version for url in urls)
