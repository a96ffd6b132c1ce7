"""The content of the image, its size, and who can run it."""

from __future__ import annotations

import fnmatch
import json
import subprocess
from pathlib import Path

import pytest

import pipe
from image.contents import MEGABYTE, parts
from image.left_out import APPLETS
from tests.container.bitbucket import Agent
from tests.support.docker import ROOT, compressed_size

pytestmark = pytest.mark.container

PACKAGES = [
    "bitbucket_pipes_toolkit",
    "boto3",
    "botocore",
    "cerberus",
    "colorlog",
    "docker",
    "jmespath",
    "requests",
    "urllib3",
    "yaml",
]
STANDARD = [
    "argparse", "ast", "base64", "calendar", "cmath", "concurrent.futures",
    "configparser", "contextlib", "contextvars", "copy", "csv", "ctypes", "dataclasses",
    "datetime", "decimal", "difflib", "email.mime.text", "encodings.idna", "encodings.punycode",
    "enum", "fcntl", "fractions", "functools", "getpass", "glob", "graphlib", "gzip", "hashlib",
    "heapq", "hmac", "html.parser", "http.client", "http.cookiejar", "http.server",
    "importlib.metadata", "importlib.resources", "inspect", "io", "ipaddress", "itertools",
    "json", "locale", "logging.handlers", "mimetypes", "mmap",
    "netrc", "pathlib", "pickle", "platform", "pprint", "queue", "random", "resource",
    "runpy", "sched", "secrets", "select", "selectors", "shlex", "shutil", "signal",
    "socket", "socketserver", "ssl", "stat", "statistics", "string", "struct", "subprocess",
    "sysconfig", "syslog", "tarfile", "tempfile", "termios", "textwrap", "threading",
    "tomllib", "traceback", "tracemalloc", "types", "typing", "unicodedata", "urllib.request",
    "urllib.robotparser", "uuid", "warnings", "weakref",
    "xml.etree.ElementTree", "zipfile", "zlib", "zoneinfo",
]  # fmt: skip

AWS = """
import boto3
for service in ("sts", "ecr", "secretsmanager"):
    client = boto3.client(service, region_name="eu-west-1")
    print(client.meta.endpoint_url, client.meta.service_model.operation_names != [])
"""

EVERYTHING_OF_THE_PIPE = """
import importlib, pkgutil, pipe
for module in pkgutil.walk_packages(pipe.__path__, "pipe."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(pipe.__version__)
"""

TRUST = """
import os, ssl, requests.certs
print(len(ssl.create_default_context().get_ca_certs()) > 50)
print(os.path.samefile(requests.certs.where(), ssl.get_default_verify_paths().cafile))
"""

SMALL_THINGS = """
import codecs, datetime, pwd, socket, sys, zoneinfo
assert datetime.datetime.now(zoneinfo.ZoneInfo("UTC")).tzname() == "UTC"
assert socket.getaddrinfo("host.docker.internal", 80)[0][4][0] == "10.1.2.3"
assert socket.getaddrinfo("localhost", 80)
assert pwd.getpwuid(0).pw_name == "root" and len(pwd.getpwall()) == 2
assert codecs.lookup("idna") and "b\u00fccher.example".encode("idna")
print("\u2714", sys.stdout.encoding)
"""

BYTECODE = """
import cerberus, json, pathlib, sysconfig
lib = pathlib.Path(sysconfig.get_path("stdlib"))
compiled = sorted(lib.rglob("*.pyc"))
sources = list(lib.rglob("*.py"))
assert len(compiled) > 500
print(len(sources), sum(file.parent.name == "__pycache__" for file in compiled))
print(json.JSONDecoder.__doc__, cerberus.Validator._validate_allowed.__doc__)
"""

ASSEMBLE_AGAIN = """
export SOURCE_DATE_EPOCH=1 PYTHONHASHSEED=0 PYTHONNODEBUGRANGES=1
python3 /source/image/assemble.py /site /source /again
for root in /rootfs /again; do tar --sort=name -C $root -c . | sha256sum; done
"""


def test_is_at_most_12_megabytes(image: str) -> None:
    """The compressed size is what a step downloads, and the parts add up to it."""
    size = compressed_size(image)
    assert size <= 12 * MEGABYTE
    assert sum(parts(image).values()) == pytest.approx(size, rel=0.03)


def test_contains_every_module_that_is_used(agent: Agent) -> None:
    """The packages and the standard library import without a warning."""
    names = ", ".join([*PACKAGES, *STANDARD])
    done = agent.python(f"import {names}")
    assert (done.returncode, done.stderr) == (0, "")


def test_contains_the_whole_pipe(agent: Agent) -> None:
    """Every module of the pipe imports."""
    done = agent.python(EVERYTHING_OF_THE_PIPE)
    assert (done.stdout, done.stderr) == (f"{pipe.__version__}\n", "")


def test_contains_three_services_of_aws(agent: Agent) -> None:
    """boto3 has the models of STS, ECR and Secrets Manager."""
    done = agent.python(AWS)
    assert done.stdout.splitlines() == [
        "https://sts.eu-west-1.amazonaws.com True",
        "https://api.ecr.eu-west-1.amazonaws.com True",
        "https://secretsmanager.eu-west-1.amazonaws.com True",
    ], done.stderr


def test_trusts_one_bundle_of_certificates(agent: Agent) -> None:
    """OpenSSL and requests read the same file."""
    assert agent.python(TRUST).stdout == "True\nTrue\n"


def test_resolves_names_users_time_zones_and_encodings(agent: Agent) -> None:
    """The files that the C library and Python look up are there."""
    done = agent.python(SMALL_THINGS, ["--add-host=host.docker.internal:10.1.2.3"])
    assert done.stdout == "\u2714 utf-8\n", done.stderr


def test_contains_every_module_once_and_without_its_text(agent: Agent) -> None:
    """Bytecode alone, and no docstrings but those that a library reads."""
    done = agent.python(BYTECODE)
    assert done.stdout == "0 0\nNone {'type': 'container'}\n", done.stderr


@pytest.mark.parametrize(
    "package", ["git", "gitdb", "smmap", "bitbucket_pipes_toolkit.test", "pip", "test", "sqlite3"]
)
def test_contains_no_module_for_tests_only(agent: Agent, package: str) -> None:
    """What only tests import is left out."""
    assert f"No module named '{package}'" in agent.python(f"import {package}").stderr


def test_has_a_shell_and_common_tools(agent: Agent) -> None:
    """Deploy tests are shell commands."""
    done = agent.shell("set -e; cd /tmp; printf 'b\\na\\n' | sort | tr a-z A-Z")
    assert (done.stdout, done.returncode) == ("A\nB\n", 0)
    tools = ("awk", "cat", "env", "find", "grep", "sed", "sleep", "tar", "timeout", "wget")
    found = agent.shell(f"for tool in {' '.join(tools)}; do command -v $tool; done")
    assert [Path(line).name for line in found.stdout.splitlines()] == list(tools)


def test_has_no_commands_that_administer_a_machine(agent: Agent) -> None:
    """Disks, kernel modules, accounts, services: no deploy test needs them."""
    listed = agent.shell("busybox --list; echo; ls /usr/bin")
    applets, commands = (part.split() for part in listed.stdout.split("\n\n"))
    for pattern in " ".join(APPLETS).split():
        assert fnmatch.filter(applets, pattern), f"busybox has no {pattern}"
        assert not fnmatch.filter(commands, pattern), pattern
    assert len(commands) > 150


def test_no_file_gives_or_takes_rights(agent: Agent) -> None:
    """Nothing is setuid or setgid, and only /tmp is writable for every user."""
    done = agent.shell("find / -xdev '(' -perm -4000 -o -perm -2000 ')' -type f")
    assert (done.stdout, done.returncode) == ("", 0)
    done = agent.shell("find / -xdev -perm -0002 ! -type l ! -type c ! -path '/tmp*'")
    assert done.stdout == ""


def test_contains_its_documents(agent: Agent) -> None:
    """pipe.yml, README and LICENSE are those of the repository."""
    for name in ("pipe.yml", "README.md", "LICENSE"):
        assert agent.shell(f"cat /{name}").stdout == (ROOT / name).read_text("utf-8")


def test_scanners_can_identify_the_libraries(agent: Agent) -> None:
    """The image lists its Debian packages where scanners look."""
    done = agent.shell("cat /etc/os-release /var/lib/dpkg/status.d/*")
    for line in ("ID=debian", "Package: libc6", "Package: libssl3t64", "Package: busybox"):
        assert line in done.stdout.splitlines()


def test_any_user_can_write_to_tmp(agent: Agent) -> None:
    """/tmp is open to every user."""
    done = agent.shell("umask 077; echo kept > /tmp/x && cat /tmp/x", ["--user=12345:12345"])
    assert done.stdout == "kept\n"


def test_modules_of_the_clone_are_not_imported(agent: Agent) -> None:
    """Neither files nor variables of a repository replace the pipe's modules."""
    (agent.clone / "requests.py").write_text("raise SystemExit('hijacked')")
    run = agent.run({"PYTHONSTARTUP": "requests.py", "PYTHONPATH": "."})
    assert "hijacked" not in run.text


def test_has_labels_and_an_entrypoint(image: str) -> None:
    """Version, licence, source and commit are labels."""
    inspected = subprocess.run(["docker", "inspect", image], capture_output=True, check=True)
    config = json.loads(inspected.stdout)[0]["Config"]
    prefix = "org.opencontainers.image."
    labels = {key.removeprefix(prefix): value for key, value in config["Labels"].items()}
    assert labels["version"] == pipe.__version__
    assert labels["licenses"] == "MIT"
    assert labels["source"].endswith("nholuongut/bitbucket-deploy-pipe")
    assert labels["revision"]
    assert config["Entrypoint"] == ["python3", "-I", "-u", "-m", "pipe"]
    assert config["StopSignal"] == "SIGTERM"
    assert config["User"] == ""


def test_two_assemblies_are_identical(image: str) -> None:
    """The inputs are pinned by hash; assembling them again gives the same bytes."""
    del image  # its build has filled the cache
    harness = [
        "docker",
        "build",
        "--quiet",
        "--target=build",
        "--build-arg=SOURCE_DATE_EPOCH=1",
        ".",
    ]
    built = subprocess.run(harness, cwd=ROOT, capture_output=True, text=True, check=True)
    run = ["docker", "run", "--rm", built.stdout.split()[-1], "sh", "-ec", ASSEMBLE_AGAIN]
    sums = subprocess.run(run, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(sums) == 2
    assert sums[0] == sums[1]
