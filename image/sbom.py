"""Write an image's bill of materials as a CycloneDX document, from the image's own metadata.

Usage: sbom.py IMAGE FILE
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

INVENTORY = """
import json, pathlib, platform
from email.parser import Parser
from importlib.metadata import distributions
folder = pathlib.Path("/var/lib/dpkg/status.d")
notes = [Parser().parsestr(note.read_text()) for note in folder.iterdir()]
system = platform.freedesktop_os_release()
print(json.dumps({
    "system": [system["ID"], system["VERSION_ID"]],
    "python": platform.python_version(),
    "debian": [[note["Package"], note["Version"], note["Architecture"]] for note in notes],
    "pypi": [[one.metadata["Name"], one.version] for one in distributions()],
}))
"""


def main(image: str, file: Path) -> None:
    """Read the inventory of the image and write the document."""
    name, _, version = image.rpartition(":")
    bom = Bom(components=components(inventory(image)))
    bom.metadata.component = Component(type=ComponentType.CONTAINER, name=name, version=version)
    bom.register_dependency(bom.metadata.component, bom.components)
    file.parent.mkdir(parents=True, exist_ok=True)
    JsonV1Dot6(bom).output_to_file(str(file), allow_overwrite=True, indent=2)


def inventory(image: str) -> dict:
    """Run the inventory script inside the image; return its result."""
    command = ["docker", "run", "--rm", "--network=none", "--entrypoint=python3", image]
    done = subprocess.run(
        [*command, "-I", "-c", INVENTORY], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout)


def components(parts: dict) -> Iterator[Component]:
    """Yield Python, Debian's packages and Python's packages."""
    yield component("generic", "python", parts["python"])
    system, release = parts["system"]
    for name, version, architecture in sorted(parts["debian"]):
        qualifiers = {"arch": architecture, "distro": f"{system}-{release}"}
        yield component("deb", name, version, system, qualifiers)
    for name, version in sorted(parts["pypi"]):
        yield component("pypi", name.lower().replace("_", "-"), version)


def component(
    kind: str,
    name: str,
    version: str,
    namespace: str | None = None,
    qualifiers: dict[str, str] | None = None,
) -> Component:
    """Return a component, identified by its package URL."""
    url = PackageURL(kind, namespace, name, version, qualifiers)
    return Component(
        type=ComponentType.LIBRARY, name=name, version=version, purl=url, bom_ref=str(url)
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
