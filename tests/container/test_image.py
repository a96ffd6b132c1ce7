"""What is in the image, what is not, and who can run it."""

from __future__ import annotations

import json
import subprocess
import zlib

import pytest

import pipe
from tests.container.bitbucket import Agent
from tests.support.docker import ROOT

pytestmark = pytest.mark.container

MEGABYTE = 1_000_000

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
    "argparse", "ast", "asyncio", "base64", "bz2", "calendar", "cmath", "concurrent.futures",
    "configparser", "contextlib", "contextvars", "copy", "csv", "ctypes", "dataclasses",
    "datetime", "decimal", "difflib", "email.mime.text", "encodings.idna", "encodings.punycode",
    "enum", "fcntl", "fractions", "functools", "getpass", "glob", "graphlib", "gzip", "hashlib",
    "heapq", "hmac", "html.parser", "http.client", "http.cookiejar", "http.server",
    "importlib.metadata", "importlib.resources", "inspect", "io", "ipaddress", "itertools",
    "json", "locale", "logging.handlers", "lzma", "mimetypes", "mmap", "multiprocessing",
    "netrc", "pathlib", "pickle", "platform", "pprint", "queue", "random", "resource",
    "runpy", "sched", "secrets", "select", "selectors", "shlex", "shutil", "signal", "smtplib",
    "socket", "socketserver", "ssl", "stat", "statistics", "string", "struct", "subprocess",
    "sysconfig", "syslog", "tarfile", "tempfile", "termios", "textwrap", "threading",
    "tomllib", "traceback", "tracemalloc", "types", "typing", "unicodedata", "urllib.request",
    "urllib.robotparser", "uuid", "warnings", "weakref", "xml.dom.minidom",
    "xml.etree.ElementTree", "xml.sax", "zipfile", "zlib", "zoneinfo",
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
import pathlib, sysconfig
lib = pathlib.Path(sysconfig.get_path("stdlib"))
compiled = sorted(lib.rglob("*.pyc"))
sources = {file.with_suffix("") for file in lib.rglob("*.py")}
names = [
    file.parent.parent / file.name.split(".")[0] if file.parent.name == "__pycache__"
    else file.with_suffix("")
    for file in compiled
]
assert len(names) == len(set(names)) > 500, "a module is compiled twice"
assert sources < set(names), "a module is not compiled"
print({str(source.relative_to(lib)).split("/")[1] for source in sources})
"""

ASSEMBLE_AGAIN = """
export SOURCE_DATE_EPOCH=1 PYTHONHASHSEED=0
python3 /source/image/assemble.py /site /source /again
for root in /rootfs /again; do tar --sort=name -C $root -c . | sha256sum; done
"""


def test_weighs_at_most_20_megabytes(image):
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
        # The same bytes as from `docker save IMAGE | gzip -6`, 20 of header aside.
        packer, size = zlib.compressobj(6), 0
        while chunk := saved.stdout.read(1 << 20):
            size += len(packer.compress(chunk))
        size += len(packer.flush())
    assert size <= 20 * MEGABYTE


def test_holds_every_module_that_is_used(agent: Agent):
    names = ", ".join([*PACKAGES, *STANDARD])
    done = agent.python(f"import {names}")
    assert (done.returncode, done.stderr) == (0, "")


def test_holds_the_whole_pipe(agent: Agent):
    done = agent.python(EVERYTHING_OF_THE_PIPE)
    assert (done.stdout, done.stderr) == (f"{pipe.__version__}\n", "")


def test_knows_three_services_of_aws(agent: Agent):
    done = agent.python(AWS)
    assert done.stdout.splitlines() == [
        "https://sts.eu-west-1.amazonaws.com True",
        "https://api.ecr.eu-west-1.amazonaws.com True",
        "https://secretsmanager.eu-west-1.amazonaws.com True",
    ], done.stderr


def test_trusts_one_bundle_of_certificates(agent: Agent):
    assert agent.python(TRUST).stdout == "True\nTrue\n"


def test_knows_names_users_time_and_letters(agent: Agent):
    done = agent.python(SMALL_THINGS, ["--add-host=host.docker.internal:10.1.2.3"])
    assert done.stdout == "\u2714 utf-8\n", done.stderr


def test_holds_bytecode_once_and_source_of_the_pipe_only(agent: Agent):
    done = agent.python(BYTECODE)
    assert done.stdout == "{'pipe'}\n", done.stderr


@pytest.mark.parametrize(
    "package", ["git", "gitdb", "smmap", "bitbucket_pipes_toolkit.test", "pip", "test", "sqlite3"]
)
def test_holds_nothing_for_tests_only(agent: Agent, package):
    assert f"No module named '{package}'" in agent.python(f"import {package}").stderr


def test_has_a_shell_and_small_tools(agent: Agent):
    done = agent.shell("set -e; cd /tmp; printf 'b\\na\\n' | sort | tr a-z A-Z")
    assert (done.stdout, done.returncode) == ("A\nB\n", 0)
    for tool in ("awk", "cat", "env", "find", "grep", "sed", "sleep", "tar", "timeout", "wget"):
        assert agent.shell(f"command -v {tool}").returncode == 0, tool


def test_carries_its_papers(agent: Agent):
    for name in ("pipe.yml", "README.md", "LICENSE"):
        assert agent.shell(f"cat /{name}").stdout == (ROOT / name).read_text("utf-8")


def test_scanners_learn_where_the_libraries_are_from(agent: Agent):
    done = agent.shell("cat /etc/os-release /var/lib/dpkg/status.d/*")
    for line in ("ID=debian", "Package: libc6", "Package: libssl3t64", "Package: busybox"):
        assert line in done.stdout.splitlines()


def test_anybody_can_write_to_tmp(agent: Agent):
    done = agent.shell("umask 077; echo kept > /tmp/x && cat /tmp/x", ["--user=12345:12345"])
    assert done.stdout == "kept\n"


def test_modules_beside_the_clone_are_not_imported(agent: Agent):
    (agent.clone / "requests.py").write_text("raise SystemExit('hijacked')")
    run = agent.run({"PYTHONSTARTUP": "requests.py", "PYTHONPATH": "."})
    assert "hijacked" not in run.text


def test_says_what_it_is(image):
    shown = subprocess.run(["docker", "inspect", image], capture_output=True, check=True)
    config = json.loads(shown.stdout)[0]["Config"]
    prefix = "org.opencontainers.image."
    labels = {key.removeprefix(prefix): value for key, value in config["Labels"].items()}
    assert labels["version"] == pipe.__version__
    assert labels["licenses"] == "MIT"
    assert labels["source"].endswith("nholuongut/bitbucket-deploy-pipe")
    assert labels["revision"]
    assert config["Entrypoint"] == ["python3", "-I", "-u", "-m", "pipe"]
    assert config["StopSignal"] == "SIGTERM"
    assert config["User"] == ""


def test_two_assemblies_are_alike(image):
    """What goes in is pinned by hash; here, putting it together again gives the same bytes."""
    stage = ["docker", "build", "--quiet", "--target=build", "--build-arg=SOURCE_DATE_EPOCH=1", "."]
    built = subprocess.run(stage, cwd=ROOT, capture_output=True, text=True, check=True)
    run = ["docker", "run", "--rm", built.stdout.split()[-1], "sh", "-ec", ASSEMBLE_AGAIN]
    sums = subprocess.run(run, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(sums) == 2
    assert sums[0] == sums[1]
