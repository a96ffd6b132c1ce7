"""Run a shell command in an image, with the step's Docker service.

The Docker command line is not needed: the service is called at `DOCKER_HOST` or at the local
socket.
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
from pipe.deploy_tests import container_limits
from pipe.deploy_tests.environment import without_engine
from pipe.deploy_tests.lines import Lines
from pipe.deploy_tests.model import Command, CommandResult, WriteLine
from pipe.errors import ConfigError, Problem
from pipe.secret import cut

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

log = logging.getLogger(__name__)

_LABEL = "com.nholuongut.deploy-pipe"
_ANY_VERSION = "1.41"
"""API version for the one request that works with any: which version the service has."""
_REQUEST_SECONDS = 30
_PULL_SECONDS = 600
_GRACE = 3
"""Seconds between SIGTERM and SIGKILL."""
_LOG_SECONDS = 5.0
"""To wait for the rest of the log once a container has ended."""
_OWN = frozenset(
    (
        *("PATH", "HOME", "HOSTNAME", "USER", "LOGNAME", "SHELL", "SHLVL", "PWD", "OLDPWD"),
        *("TERM", "TMPDIR", "LANG", "LC_ALL", "_"),
    )
)
"""Variables that describe the machine of a process; the image has its own."""
_OWN_PREFIXES = ("LD_", "PYTHON", "SSL_CERT_", "GPG_")


def check_ready(command: Command) -> None:
    """Pull the image; raise `ConfigError` if the Docker service does not have it then."""
    with _engine(command) as client:
        _pull(client, command)


def run_in_container(command: Command, write_line: WriteLine, clock: Clock) -> CommandResult:
    """Run the command in a container of its image and remove it; raise `ConfigError`.

    The clone folder is mounted at its own path and is the working directory.
    """
    started = clock.monotonic()
    lines = Lines(write_line, command.mask)
    with _engine(command) as client:
        try:
            with _container(client, command) as container:
                state = _follow(container, lines, Deadline.after(clock, command.seconds))
        except _docker_errors() as error:
            return CommandResult(clock.monotonic() - started, lines.kept(), error=_explain(error))
    return CommandResult(
        clock.monotonic() - started,
        lines.kept(),
        status=state.get("StatusCode"),
        timed_out=not state,
        error="out of memory" if state.get("OOMKilled") else "",
        signal=9 if state.get("OOMKilled") else 0,
    )


@contextlib.contextmanager
def _engine(command: Command) -> Iterator[DockerClient]:
    address = command.environment.get("DOCKER_HOST", "")
    try:
        with contextlib.closing(_connect(address, command, _ANY_VERSION)) as probe:
            version = str(probe.version(api_version=False)["ApiVersion"])
        client = _connect(address, command, version)
    except _docker_errors() as error:
        raise ConfigError([_no_service(command.setting, address, error)]) from error
    try:
        yield client
    finally:
        client.close()


def _connect(address: str, command: Command, version: str) -> DockerClient:
    # Imported here because most runs do not need it and it takes a tenth of a second.
    import docker  # noqa: PLC0415

    client = docker.DockerClient(
        base_url=address or None, version=version, timeout=_REQUEST_SECONDS, tls=_tls(command)
    )
    # The service is local; a proxy in the environment is not meant for it.
    client.api.trust_env = False
    return client


def _tls(command: Command) -> Any:
    """Return the TLS settings from Docker's own variables, False without them."""
    environment = command.environment
    folder = environment.get("DOCKER_CERT_PATH", "")
    if not folder or not environment.get("DOCKER_TLS_VERIFY"):
        return False
    from docker.tls import TLSConfig  # noqa: PLC0415

    cert, key, ca = (os.path.join(folder, f"{name}.pem") for name in ("cert", "key", "ca"))  # noqa: PTH118
    return TLSConfig(client_cert=(cert, key), ca_cert=ca, verify=True)


def _pull(client: DockerClient, command: Command) -> None:
    """Have the service pull the image; if it cannot, a local copy is used."""
    name = _name(command)
    log.info("Pulling %s (%s).", name, command.setting)
    client.api.timeout = _PULL_SECONDS
    reason = "it was not pulled"
    try:
        # None would have the library search for a login in DOCKER_CONFIG and run its helpers.
        client.api.pull(name, auth_config=dict(command.login or {}))
    except _docker_errors() as error:
        reason = _message(error)
        if _has(client, name):
            log.warning("It cannot be pulled: %s. Using the local copy.", reason)
    finally:
        client.api.timeout = _REQUEST_SECONDS
    if not _has(client, name):
        what = f'names the image "{name}", which the Docker service cannot pull: {reason}'
        fix = (
            "Correct the name, or pull the image earlier in the step's script, where you can log "
            "in to its registry"
        )
        raise ConfigError([Problem(command.setting, what, fix)])


def _name(command: Command) -> str:
    """Return the image's name for the service; a tag beside a digest is dropped."""
    assert command.image is not None  # noqa: S101 - commands without an image run locally
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
    memory = container_limits.memory(client.info())
    container = client.containers.create(
        _name(command),
        command=[command.text],
        # Replaced, because the image's own entry point may be any program.
        entrypoint=["sh", "-c", container_limits.WATCHED],
        stdin_open=True,
        mem_limit=memory,
        memswap_limit=memory,
        pids_limit=container_limits.MOST_PROCESSES,
        environment=_passed_on(command.environment),
        volumes={folder: {"bind": folder, "mode": "rw"}},
        working_dir=folder,
        extra_hosts=_hosts(command.environment),
        labels={_LABEL: "test"},
        use_config_proxy=False,
    )
    try:
        yield container
    finally:
        with contextlib.suppress(*_docker_errors()):
            container.remove(force=True, v=True)


def _follow(container: Container, lines: Lines, deadline: Deadline) -> Mapping[str, Any]:
    """Start the container and return its final state, empty if the deadline passed first."""
    import requests  # noqa: PLC0415

    stream = container.attach(stream=True, logs=True, stdout=True, stderr=True)
    reader = threading.Thread(target=_read_output, args=(stream, lines), daemon=True)
    reader.start()
    state: dict[str, Any] = {}
    lifeline = container.attach_socket(params={"stdin": 1, "stream": 1})
    try:
        container.start()
        state = dict(container.wait(timeout=deadline.left()))
    except (requests.ConnectionError, requests.Timeout):
        # Raised when the wait times out, but also when the service goes away.
        if not deadline.passed():
            raise
        container.stop(timeout=_GRACE)
    else:
        reader.join(_LOG_SECONDS)
    finally:
        _close(stream)
        getattr(lifeline, "_response", lifeline).close()
        reader.join(_LOG_SECONDS)
    lines.close()
    if state.get("StatusCode") == 137:
        container.reload()
        state["OOMKilled"] = bool(container.attrs["State"].get("OOMKilled"))
    return state


def _close(stream: Any) -> None:
    """Close the stream, which ends the thread that reads it."""
    with contextlib.suppress(OSError, AttributeError):
        stream.close()
    # The stream releases its socket, but not the connection that owns the socket.
    stream._response.close()  # noqa: SLF001


def _read_output(stream: Iterator[bytes], lines: Lines) -> None:
    # The result comes from waiting for the container, not from the stream.
    with contextlib.suppress(*_docker_errors(), ValueError):
        for data in stream:
            lines.feed(data)


def _passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in without_engine(environment).items()
        if name not in _OWN and not name.startswith(_OWN_PREFIXES)
    }


def _hosts(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the step's network under the host name that Bitbucket gives it in pipes."""
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
        f"needs a Docker service, but none responds {where}: {_message(error)}",
        "Add `services: [docker]` to the step in bitbucket-pipelines.yml, or remove the line "
        f"{setting}: ... to run the command in the pipe itself",
    )


def _explain(error: Exception) -> str:
    message = _message(error)
    if '"sh": executable file not found' in message:
        return "could not be started: the image has no shell (sh), which commands need"
    return f"could not be started: {message}"


def _message(error: Exception) -> str:
    """Return the service's explanation, or the error itself, in one line."""
    message = getattr(error, "explanation", None) or str(error)
    return cut(" ".join(str(message).split()), 300)
