"""A shell command inside an image, through the step's Docker service.

Works without the Docker command line: the service is spoken to directly, at `DOCKER_HOST` or
at the local socket.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipe.clock import Clock, Deadline
from pipe.deploy_tests.lines import Lines
from pipe.deploy_tests.model import Command, CommandResult, WriteLine
from pipe.errors import ConfigError, Problem

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

log = logging.getLogger(__name__)

_LABEL = "com.nholuongut.deploy-pipe"
_ANY_VERSION = "1.41"
"""Of the API, for the one question that needs none: which version is spoken there."""
_ASK_SECONDS = 30
_PULL_SECONDS = 600
_GRACE = 3
"""Seconds to say a last word in after SIGTERM."""
_LAST_WORDS = 5.0
"""Seconds to wait for the rest of the log once a container has ended."""
_OWN = frozenset(
    (
        *("PATH", "HOME", "HOSTNAME", "USER", "LOGNAME", "SHELL", "SHLVL", "PWD", "OLDPWD"),
        *("TERM", "TMPDIR", "LANG", "LC_ALL", "_"),
    )
)
"""Variables that describe the machine a process runs on: the image has its own."""
_OWN_BEGINNINGS = ("LD_", "PYTHON", "SSL_CERT_", "GPG_")


def prove_ready(command: Command) -> None:
    """Prove that the Docker service answers and has the image, fetched anew where possible.

    Raises `ConfigError`.
    """
    with _engine(command) as client:
        _fetch(client, command)


def run_inside(command: Command, tell: WriteLine, clock: Clock) -> CommandResult:
    """Run the command in a container of its image, removed afterwards; raises `ConfigError`.

    The clone folder is mounted at its own path and is the working folder.
    """
    started = clock.monotonic()
    lines = Lines(tell, command.mask)
    with _engine(command) as client:
        try:
            with _container(client, command) as container:
                ending = _follow(container, lines, Deadline.after(clock, command.seconds))
        except _docker_errors() as error:
            return CommandResult(clock.monotonic() - started, lines.kept(), trouble=_explain(error))
    return CommandResult(
        clock.monotonic() - started,
        lines.kept(),
        status=ending.get("StatusCode"),
        timed_out=not ending,
        trouble="it ran out of memory" if ending.get("OOMKilled") else "",
        signal=9 if ending.get("OOMKilled") else 0,
    )


@contextlib.contextmanager
def _engine(command: Command) -> Iterator[DockerClient]:
    address = command.environment.get("DOCKER_HOST", "")
    try:
        with contextlib.closing(_connect(address, command, _ANY_VERSION)) as asked:
            spoken = str(asked.version(api_version=False)["ApiVersion"])
        client = _connect(address, command, spoken)
    except _docker_errors() as error:
        raise ConfigError([_no_service(command.setting, address, error)]) from error
    try:
        yield client
    finally:
        client.close()


def _connect(address: str, command: Command, version: str) -> DockerClient:
    # Loaded only here: most runs need none of it, and loading takes a tenth of a second.
    import docker  # noqa: PLC0415

    client = docker.DockerClient(
        base_url=address or None, version=version, timeout=_ASK_SECONDS, tls=_tls(command)
    )
    # The service is next door; a proxy in the environment is for the world outside.
    client.api.trust_env = False
    return client


def _tls(command: Command) -> Any:
    """TLS for the service as Docker's own variables ask for it; False without."""
    environment = command.environment
    folder = environment.get("DOCKER_CERT_PATH", "")
    if not folder or not environment.get("DOCKER_TLS_VERIFY"):
        return False
    from docker.tls import TLSConfig  # noqa: PLC0415

    cert, key, ca = (os.path.join(folder, f"{name}.pem") for name in ("cert", "key", "ca"))  # noqa: PTH118
    return TLSConfig(client_cert=(cert, key), ca_cert=ca, verify=True)


def _fetch(client: DockerClient, command: Command) -> None:
    """Have the service fetch the image; one that it has already will do where it cannot."""
    name = _name(command)
    log.info("Fetching %s (%s).", name, command.setting)
    client.api.timeout = _PULL_SECONDS
    trouble = "it did not arrive"
    try:
        client.api.pull(name, auth_config=dict(command.login) if command.login else None)
    except _docker_errors() as error:
        trouble = _said(error)
        if _has(client, name):
            log.warning("It cannot be fetched anew: %s. Using the one that is here.", trouble)
    finally:
        client.api.timeout = _ASK_SECONDS
    if not _has(client, name):
        what = f'names the image "{name}", which the Docker service cannot fetch: {trouble}'
        fix = (
            "Correct the name, or pull the image earlier in the step's script, where you can log "
            "in to its registry"
        )
        raise ConfigError([Problem(command.setting, what, fix)])


def _name(command: Command) -> str:
    """The image's name as the service understands it: with a digest, a tag is only a comment."""
    assert command.image is not None  # noqa: S101 - others run right here
    return str(replace(command.image, tag="") if command.image.digest else command.image)


def _has(client: DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
    except _docker_errors():
        return False
    return True


@contextlib.contextmanager
def _container(client: DockerClient, command: Command) -> Iterator[Container]:
    folder = str(command.folder)
    container = client.containers.create(
        _name(command),
        command=[command.text],
        # Not as arguments of the image's own entry point, which is a program of its own.
        entrypoint=["sh", "-c"],
        environment=_handed_in(command.environment),
        volumes={folder: {"bind": folder, "mode": "rw"}},
        working_dir=folder,
        extra_hosts=_hosts(command.environment),
        labels={_LABEL: "test"},
    )
    try:
        yield container
    finally:
        with contextlib.suppress(*_docker_errors()):
            container.remove(force=True, v=True)


def _follow(container: Container, lines: Lines, deadline: Deadline) -> Mapping[str, Any]:
    """Start it and hear it out: how it ended, empty when its time ran out first."""
    import requests  # noqa: PLC0415

    stream = container.attach(stream=True, logs=True, stdout=True, stderr=True)
    listener = threading.Thread(target=_listen, args=(stream, lines), daemon=True)
    listener.start()
    ended: dict[str, Any] = {}
    try:
        container.start()
        ended = dict(container.wait(timeout=deadline.left()))
    except (requests.ConnectionError, requests.Timeout):
        # What a wait without end looks like, and a service that went away, too.
        if not deadline.passed():
            raise
        container.stop(timeout=_GRACE)
    else:
        listener.join(_LAST_WORDS)
    finally:
        _hang_up(stream)
        listener.join(_LAST_WORDS)
    lines.close()
    if ended.get("StatusCode") == 137:
        container.reload()
        ended["OOMKilled"] = bool(container.attrs["State"].get("OOMKilled"))
    return ended


def _hang_up(stream: Any) -> None:
    """End the stream; whoever reads it gets an end as well."""
    with contextlib.suppress(OSError, AttributeError):
        stream.close()
    # The stream gives its socket up, not the connection that the socket belongs to.
    stream._response.close()  # noqa: SLF001


def _listen(stream: Iterator[bytes], lines: Lines) -> None:
    # A service that goes away ends the stream; whether the test passed is not told here.
    with contextlib.suppress(*_docker_errors(), ValueError):
        for data in stream:
            lines.feed(data)


def _handed_in(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name not in _OWN and not name.startswith(_OWN_BEGINNINGS)
    }


def _hosts(environment: Mapping[str, str]) -> dict[str, str]:
    """The step's network under the name that Bitbucket gives it in pipes."""
    address = environment.get("BITBUCKET_DOCKER_HOST_INTERNAL", "").strip()
    return {"host.docker.internal": address} if address else {}


def _docker_errors() -> tuple[type[Exception], ...]:
    import requests  # noqa: PLC0415
    import urllib3.exceptions  # noqa: PLC0415
    from docker.errors import DockerException  # noqa: PLC0415

    return DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError


def _no_service(setting: str, address: str, error: Exception) -> Problem:
    where = f"at {address} (DOCKER_HOST)" if address else "at the local socket"
    return Problem(
        setting,
        f"needs a Docker service, and none answers {where}: {_said(error)}",
        "Add `services: [docker]` to the step in bitbucket-pipelines.yml, or remove the line "
        f"{setting}: ... to run the command in the pipe itself",
    )


def _explain(error: Exception) -> str:
    said = _said(error)
    if '"sh": executable file not found' in said:
        return "cannot be begun: the image has no shell (sh), which a command needs"
    return f"cannot be begun: {said}"


def _said(error: Exception) -> str:
    """What the service or the way to it says, in one line."""
    said = getattr(error, "explanation", None) or str(error)
    return " ".join(str(said).split())[:300]
