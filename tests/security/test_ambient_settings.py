"""Settings of the machine that libraries would read: none of them counts."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from botocore.loaders import Loader

from pipe.clock import SystemClock
from pipe.dependencies import Dependencies
from pipe.http.tls import tls_context
from tests.sandbox import Server, World
from tests.sandbox.aws import Cloud
from tests.support.environment import environment
from tests.support.harness import Harness, run_pipe
from tests.support.http_server import Answer, HttpServer, Request
from tests.support.process import ROOT, finish, start
from tests.support.real_time import real_time_world

EVERY_AWS_VARIABLE = sorted(
    name
    for _, names, _, _ in BOTOCORE_DEFAUT_SESSION_VARIABLES.values()
    for name in ([names] if isinstance(names, str) else names or [])
)
REFUSED_ENDPOINTS = (
    "http://127.0.0.5:4566",
    "http://sts.example",
    "http://localhost.example:1",
    "http://127.0.0.1@sts.example",
    "ftp://sts.example",
    "sts.example",
    "https://user:password@sts.example",
    "https://sts.example/?next=http://other.example",
    "https://[fe80::1%25eth0]",
    "https://[::bad",
    "https://a b.example",
)
RULES = {
    "version": "1.0",
    "parameters": {
        "Region": {"builtIn": "AWS::Region", "required": False, "type": "String"},
        **{
            name: {"builtIn": builtin, "required": True, "default": False, "type": "Boolean"}
            for name, builtin in (
                ("UseDualStack", "AWS::UseDualStack"),
                ("UseFIPS", "AWS::UseFIPS"),
                ("UseGlobalEndpoint", "AWS::STS::UseGlobalEndpoint"),
            )
        },
        "Endpoint": {"builtIn": "SDK::Endpoint", "required": False, "type": "String"},
    },
}


@pytest.fixture
def world() -> World:
    """Return a world on this machine's clock, with short rollouts."""
    return real_time_world(0.2)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[trustme.CA]:
    """Yield an authority that every variable for certificates names."""
    authority = trustme.CA()
    file, folder = tmp_path / "attacker.pem", tmp_path / "authorities"
    folder.mkdir()
    authority.cert_pem.write_to_path(str(file))
    # OpenSSL finds a certificate in a folder by the hash of its subject.
    if openssl := shutil.which("openssl"):
        command = [openssl, "x509", "-noout", "-subject_hash", "-in", str(file)]
        hashed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        shutil.copy(file, folder / f"{hashed}.0")
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    tls_context.cache_clear()
    yield authority
    tls_context.cache_clear()


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    """Return a server's context with a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


def test_variables_for_certificates_are_ignored(
    world: World, authority: trustme.CA, tmp_path: Path
) -> None:
    """An authority that only they name is not trusted, and no token is sent."""
    with Server(world, tls=server_context(authority)) as server:
        variables = environment(server.url, world.token, STABLE_SECONDS="0")
        result = run_pipe(variables, Dependencies(world.clock), tmp_path)
    assert result.code == 4, result.text
    assert "is not trusted" in result.text
    assert world.log == []


@pytest.mark.parametrize(
    "name", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]
)
def test_a_process_ignores_variables_for_certificates(
    world: World, authority: trustme.CA, name: str
) -> None:
    """The same in a process of its own, for each of them."""
    with Server(world, tls=server_context(authority)) as server:
        ambient: dict[str, Any] = {name: os.environ[name]}
        code, output = finish(start(server.url, world, **ambient))
    assert code == 4, output
    assert world.log == []


@pytest.mark.parametrize("trusted", [True, False])
def test_a_tls_proxy_is_trusted_by_ca_cert_only(
    world: World, authority: trustme.CA, tmp_path: Path, trusted: bool
) -> None:
    """Its login is not sent to a proxy whose authority only SSL_CERT_FILE names."""
    certificate = authority.cert_pem.bytes().decode() if trusted else ""
    with HttpServer(lambda _: Answer(403), server_context(authority)) as proxy:
        variables = environment(
            "https://portal.example",
            world.token,
            HTTPS_PROXY=f"https://ci:proxy-password@localhost:{proxy.port}",
            CA_CERT=certificate,
        )
        result = run_pipe(variables, Dependencies(world.clock), tmp_path)
    assert result.code == 4, result.text
    assert ["Proxy-Authorization" in request.headers for request in proxy.requests] == (
        [True] * len(proxy.requests)
    )
    assert bool(proxy.requests) is trusted


def test_tls_keys_are_not_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSLKEYLOGFILE would let others decrypt the connection."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    tls_context.cache_clear()
    assert tls_context("").keylog_filename is None
    tls_context.cache_clear()
    assert not (tmp_path / "keys").exists()


def test_the_context_verifies_as_strictly_as_pythons_own() -> None:
    """Certificates, host names, TLS 1.2, and the flags of Python 3.13."""
    tls_context.cache_clear()
    context, usual = tls_context(""), ssl.create_default_context()
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_flags & usual.verify_flags == usual.verify_flags
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.options & usual.options == usual.options
    assert len(context.get_ca_certs()) >= len(usual.get_ca_certs())


def test_openssl_and_botocore_load_nothing_that_variables_name(
    world: World, tmp_path: Path
) -> None:
    """Neither OpenSSL's configuration nor a plugin of botocore changes a run."""
    (tmp_path / "openssl.cnf").write_text(
        "openssl_conf = init\n[init]\nssl_conf = all\n[all]\nsystem_default = old\n"
        "[old]\nMaxProtocol = TLSv1.1\n",
        "utf-8",
    )
    (tmp_path / "planted.py").write_text("open('planted-was-loaded', 'w').close()\n", "utf-8")
    with Server(world, tls=tmp_path / "tls") as server, Cloud(SystemClock()) as cloud:
        role: dict[str, Any] = {**cloud.environ(), **cloud.endpoints()}
        code, output = finish(
            start(
                server.url,
                world,
                OPENSSL_CONF=str(tmp_path / "openssl.cnf"),
                BOTOCORE_EXPERIMENTAL__PLUGINS="planted=planted",
                BITBUCKET_CLONE_DIR=str(tmp_path),
                CA_CERT=str(server.ca_path),
                **role,
            )
        )
    assert code == 0, output
    assert not (tmp_path / "planted-was-loaded").exists()


def test_libraries_see_no_environment() -> None:
    """Only what decides about display is left; the pipe's own copy is complete."""
    script = (
        "import os, json; from pipe.__main__ import take_environment; taken = take_environment(); "
        "print(json.dumps([taken, dict(os.environ), os.path.expanduser('~/.aws/config')]))"
    )
    given = {"HOME": "/home/me", "NETRC": "/n", "AWS_PROFILE": "x", "CI": "true", "XDG_X": "/x"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=given,
        capture_output=True,
        text=True,
        check=True,
    )
    taken, seen, config = json.loads(done.stdout)
    assert taken.items() >= given.items()
    assert seen == {"CI": "true", "HOME": "/dev/null"}
    assert config == "/dev/null/.aws/config"


def test_deploy_tests_keep_the_environment(world: World, tmp_path: Path) -> None:
    """What libraries must not see is theirs: HOME, PATH and all others."""
    test = 'test "$HOME" = /home/me && test "$AWS_PROFILE" = x && test "$SSL_CERT_FILE" = /y'
    with Server(world) as server:
        code, output = finish(
            start(
                server.url,
                world,
                PRE_DEPLOY_TEST=test,
                HOME="/home/me",
                AWS_PROFILE="x",
                SSL_CERT_FILE="/y",
                BITBUCKET_CLONE_DIR=str(tmp_path),
            )
        )
    assert code == 0, output


@pytest.mark.parametrize("url", REFUSED_ENDPOINTS)
@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"])
def test_aws_is_not_called_over_plain_http(harness: Harness, name: str, url: str) -> None:
    """Exit 2 names the variable, before anything is sent; no password is quoted."""
    with Cloud(SystemClock()) as cloud:
        harness.web()
        result = harness.deploy(**cloud.environ(), **{name: url})
        assert cloud.door.log == []
    assert result.code == 2, result.text
    assert f"ERROR: {name} " in result.log
    assert "user:password" not in result.text
    assert harness.world.log == []


def test_without_an_aws_identity_endpoints_do_not_matter(harness: Harness) -> None:
    """A variable that this run does not use is no reason to refuse it."""
    harness.web()
    assert harness.deploy(AWS_ENDPOINT_URL="http://sts.example").code == 0


def test_an_endpoint_of_one_service_goes_before_that_of_all(harness: Harness) -> None:
    """As in the AWS tools; a value for all services alone works as well."""
    harness.web()
    with Cloud(harness.clock) as cloud:
        first = harness.deploy(
            **cloud.environ(), AWS_ENDPOINT_URL="https://nowhere.example", **cloud.endpoints()
        )
        second = harness.deploy(
            "team/web:1.4.3", **cloud.environ(), AWS_ENDPOINT_URL=f"{cloud.url}/"
        )
    assert (first.code, second.code) == (0, 0), first.text + second.text


def test_no_variable_of_botocore_counts(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers, modes and paths that botocore could not use neither fail nor change a run."""
    assert len(EVERY_AWS_VARIABLE) > 30
    for name in EVERY_AWS_VARIABLE:
        monkeypatch.setenv(name, "no such value")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.5:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", " ")
    harness.web()
    with Cloud(harness.clock) as cloud:
        result = harness.deploy(**cloud.environ(), **cloud.endpoints())
        assert cloud.door.log == ["AssumeRoleWithWebIdentity"]
    assert result.code == 0, result.text


def plant_models(folder: Path, url: str) -> None:
    """Write rules that give STS another address, where botocore prefers them."""
    rule = {"conditions": [], "type": "endpoint"}
    target = {"url": url, "properties": {}, "headers": {}}
    models = folder / "sts" / "2011-06-15"
    models.mkdir(parents=True)
    text = json.dumps({**RULES, "rules": [{**rule, "endpoint": target}]})
    (models / "endpoint-rule-set-1.json").write_text(text, "utf-8")


def test_models_in_the_home_folder_are_ignored(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They could name another host for STS; it does not get the identity token."""
    monkeypatch.setattr(Loader, "CUSTOMER_DATA_PATH", str(tmp_path / "models"))
    harness.web()
    with HttpServer(lambda _: Answer(403)) as attacker, Cloud(harness.clock) as cloud:
        plant_models(tmp_path / "models", attacker.url)
        result = harness.deploy(**cloud.environ())
    assert attacker.requests == []
    assert result.code == 4
    assert "sts.eu-west-1.amazonaws.com cannot be reached" in result.stdout


def test_a_process_ignores_models_in_the_home_folder(world: World, tmp_path: Path) -> None:
    """The same in a process of its own, behind a proxy that refuses the connection to AWS."""
    with (
        HttpServer(lambda _: Answer(403)) as attacker,
        HttpServer(lambda _: Answer(403)) as proxy,
        Cloud(SystemClock()) as cloud,
        Server(world) as server,
    ):
        plant_models(tmp_path / ".aws" / "models", attacker.url)
        step: dict[str, Any] = {**cloud.environ(), "HOME": str(tmp_path), "HTTPS_PROXY": proxy.url}
        code, output = finish(start(server.url, world, **step))
    assert attacker.requests == []
    assert code == 4, output
    assert "did not connect to sts.eu-west-1.amazonaws.com" in output


def answer_as_engine(request: Request) -> Answer:
    """Answer as a Docker engine that has every image and starts no container."""
    if request.path.startswith("/version"):
        return Answer(200, '{"ApiVersion": "1.41"}')
    if request.path.endswith("/info"):
        return Answer(200, json.dumps({"MemTotal": 8 << 30}))
    if "/images/create" in request.path:
        return Answer(200, '{"status": "ok"}')
    if "/images/" in request.path:
        return Answer(200, '{"Id": "sha256:1", "RepoTags": []}')
    return Answer(500, '{"message": "not in this test"}')


@pytest.mark.parametrize("variable", ["DOCKER_CONFIG", "HOME"])
@pytest.mark.parametrize("registry", ["127.0.0.1:5000", "127.0.0.1:5001", "docker.io/acme"])
def test_no_login_of_the_machine_is_used_for_test_images(
    world: World, tmp_path: Path, variable: str, registry: str
) -> None:
    """Docker's configuration file is not read, and no credential helper runs."""
    folder = tmp_path / ".docker"
    (tmp_path / "bin").mkdir()
    folder.mkdir()
    configuration = {
        "auths": {"127.0.0.1:5000": {"auth": "ZXZpbDpwdw=="}},
        "credHelpers": {"127.0.0.1:5001": "planted"},
        "credsStore": "planted",
        "HttpHeaders": {"X-Planted": "1"},
        "proxies": {"default": {"httpsProxy": "http://planted.example:3128"}},
    }
    (folder / "config.json").write_text(json.dumps(configuration), "utf-8")
    ambient: dict[str, Any] = {variable: str(folder if variable == "DOCKER_CONFIG" else tmp_path)}
    helper = tmp_path / "bin" / "docker-credential-planted"
    helper.write_text(f"#!/bin/sh\ntouch '{tmp_path}/helper-ran'\nexit 1\n", "utf-8")
    helper.chmod(0o755)
    with HttpServer(answer_as_engine) as engine, Server(world) as server:
        code, output = finish(
            start(
                server.url,
                world,
                PRE_DEPLOY_TEST="true",
                PRE_DEPLOY_TEST_IMAGE=f"{registry}/tool:1",
                DOCKER_HOST=f"tcp://127.0.0.1:{engine.port}",
                PATH=f"{tmp_path}/bin:{os.environ['PATH']}",
                BITBUCKET_CLONE_DIR=str(tmp_path),
                **ambient,
            )
        )
    assert code == 6, output
    assert not (tmp_path / "helper-ran").exists()
    assert any("/images/create" in request.path for request in engine.requests)
    assert any("/containers/create" in request.path for request in engine.requests)
    for request in engine.requests:
        assert request.headers.get("X-Registry-Auth", "e30=") == "e30=", "an empty object"
        assert "X-Planted" not in request.headers
        assert b"planted" not in request.body


@pytest.mark.parametrize("content", ["[]", "null", "[" * 20_000, '{"proxies": 1}', '{"auths": 1}'])
def test_a_broken_docker_configuration_is_not_a_defect(
    world: World, tmp_path: Path, content: str
) -> None:
    """It is not read at all."""
    (tmp_path / "config.json").write_text(content, "utf-8")
    with HttpServer(answer_as_engine) as engine, Server(world) as server:
        code, output = finish(
            start(
                server.url,
                world,
                PRE_DEPLOY_TEST="true",
                PRE_DEPLOY_TEST_IMAGE="tool:1",
                DOCKER_HOST=f"tcp://127.0.0.1:{engine.port}",
                BITBUCKET_CLONE_DIR=str(tmp_path),
                DOCKER_CONFIG=str(tmp_path),
            )
        )
    assert code == 6, output
