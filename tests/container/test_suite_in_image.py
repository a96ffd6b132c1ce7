"""The pipe's own tests, run by the Python and the libraries inside the image.

pytest and what the tests import come from a folder that is searched last, so that whatever the
image has is taken from the image. The pipe is the image's too: only the tests are mounted.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.container.bitbucket import Agent
from tests.support.docker import BASE_IMAGE, ROOT, build_lock, require_base_image

pytestmark = [pytest.mark.container, pytest.mark.image_test, pytest.mark.slow]

PARTS = (
    # AWS and registries are servers beside the image; tests/container/test_identity.py uses them.
    ("tests/reliability", "--ignore=tests/reliability/test_other_services.py"),
    ("tests/security", "--ignore=tests/security/test_ambient_settings.py"),
    ("tests/process", "tests/deploy_tests"),
    (
        *("tests/unit", "tests/kinds", "tests/report", "tests/scenario"),
        # The image has the models of only three of AWS's services.
        "--ignore=tests/kinds/test_aws_shapes.py",
    ),
)
"""Separate runs, the longest first, so that the workers of pytest-xdist share them."""

NEEDED = (
    *("pytest", "flask", "trustme", "hypothesis", "duplocloud-sdk"),
    *("jsonschema", "junitparser", "kubernetes-validate", "xmlschema"),
)
MOUNTED = ("tests", "schema", "pyproject.toml", "Dockerfile")
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}

# The image leaves out modules that pytest and the vendor's models import. Compiling once here
# saves every run inside the image from compiling everything, as the folder is mounted read-only.
COPY_AND_COMPILE = """
cd "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
cp -r unittest asyncio multiprocessing bz2.py lzma.py bdb.py cmd.py code.py codeop.py \
   compileall.py pickletools.py py_compile.py smtplib.py optparse.py webbrowser.py /suite/site/
mkdir -p /suite/site/more && cp -r xml /suite/site/more/
mkdir -p /suite/site/lib
cp /lib/*-linux-gnu/librt.so.1 /lib/*-linux-gnu/libdl.so.2 /lib/*-linux-gnu/libpthread.so.0 \
   /suite/site/lib/
python3 -m compileall -q -j 0 /suite/site >/dev/null || true
"""

RUN = """
import sys
sys.path.append("/suite/site")
# Packages of which the image has a part.
import xml, multiprocessing
xml.__path__.append("/suite/site/more/xml")
multiprocessing.__path__.append("/suite/site/multiprocessing")
import pytest
without = [f"-pno:{plugin}" for plugin in ("cacheprovider", "debugging", "doctest")]
sys.exit(pytest.main(["-q", "-m", "not container", *without, *sys.argv[1:]]))
"""


@pytest.fixture(scope="module")
def site(image: str) -> Path:
    """The folder with the test requirements, at the versions of the lock file."""
    del image
    require_base_image()
    lock_file = (ROOT / "requirements-dev.txt").read_bytes()
    key = hashlib.sha256(lock_file + COPY_AND_COMPILE.encode() + str(NEEDED).encode())
    folder = ROOT / "build" / "suite" / key.hexdigest()[:12]
    with build_lock():
        if not folder.exists():
            shutil.rmtree(folder.parent, ignore_errors=True)
            draft = folder.with_suffix(".part")
            draft.mkdir(parents=True)
            install(draft)
            draft.rename(folder)
    return folder


def install(folder: Path) -> None:
    """Fill the folder with wheels for the engine's machine, and with parts of the base image."""
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(folder)]
    platform = f"--python-platform={machine()}-manylinux_2_28"
    lock = "--constraint=requirements-dev.txt"
    call([*uv, "--python-version=3.13", platform, lock, *NEEDED])
    options = [f"--user={os.getuid()}:{os.getgid()}", f"--volume={folder}:/suite/site"]
    call(["docker", "run", "--rm", *options, BASE_IMAGE, "sh", "-ec", COPY_AND_COMPILE])


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part[0].removeprefix("tests/"))
def test_passes_inside_the_image(agent: Agent, site: Path, part: tuple[str, ...]) -> None:
    """The tests pass with the image's Python, libraries and shell."""
    volumes = [f"--volume={ROOT / name}:/suite/{name}:ro" for name in MOUNTED]
    done = agent.docker(
        *("run", "--rm", "--memory=512m", *volumes, f"--volume={site}:/suite/site:ro"),
        *("--workdir=/suite", "--env=LD_LIBRARY_PATH=/suite/site/lib", "--entrypoint=python3"),
        *(agent.image, "-I", "-c", RUN, *part),
        seconds=900,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]


def machine() -> str:
    """Return the engine's architecture as wheels spell it; it may differ from this machine's."""
    return MACHINES[call(["docker", "version", "--format={{.Server.Arch}}"]).strip()]


def call(command: list[str]) -> str:
    """Run a command that must succeed; return its standard output."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
