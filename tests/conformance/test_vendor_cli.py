"""The vendor's command line works with the sandbox, unmodified and over TLS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from pipe.dependencies import Dependencies
from tests.conformance.models import check_log
from tests.sandbox import Behaviour, Command, Server, World
from tests.sandbox.behaviour import Fate
from tests.sandbox.issued_secrets import SECRET_KEY, SESSION_TOKEN
from tests.support.environment import environment
from tests.support.harness import run_pipe
from tests.support.real_time import FastClock

PORTALS = ("new", "old")
JOB = """\
metadata:
  name: {name}
spec:
  backoffLimit: 0
  completions: 2
  parallelism: 2
  ttlSecondsAfterFinished: 3600
  template:
    spec:
      restartPolicy: Never
      initContainers: []
      containers:
      - name: main
        image: team/batch:1
        command: [/bin/sh, -c]
        args: [{name}]
"""
SECONDS = 60
TIMES = 10
"""How much faster than usual time passes, for the portal and for the command line."""
HURRIED = f"""
import runpy, time
sleep = time.sleep
time.sleep = lambda seconds: sleep(seconds / {TIMES})
runpy.run_module("duplocloud.cli", run_name="__main__", alter_sys=True)
"""
"""The command line, unmodified, in a process whose pauses are short."""
Result = subprocess.CompletedProcess[str]
Waits = dict[tuple[str, str], Future[Result]]


class Cli:
    """Runs the vendor's command line against one portal."""

    def __init__(self, server: Server, home: Path) -> None:
        self.server = server
        self.home = home

    def __call__(self, *arguments: str) -> Result:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "DUPLO_HOST": self.server.url,
            "DUPLO_TOKEN": self.server.world.token,
            "DUPLO_TENANT": "dev01",
            "REQUESTS_CA_BUNDLE": str(self.server.ca_path),
            "NO_PROXY": "*",
        }
        return subprocess.run(
            [sys.executable, "-c", HURRIED, *arguments],
            env=environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


def world_for(portal: str) -> World:
    world = World(FastClock(TIMES), portal="old" if portal == "old" else "new")
    world.add_tenant("dev01")
    for name in ("web", "api", "shop"):
        world.add_service(name, f"team/{name}:1", replicas=2, allocation_tags="tier-app")
    world.ecs.add("billing", "team/billing:1", containers={"log": "team/log:1"})
    world.ecs.add("ledger", "team/ledger:1")
    world.functions.add("resize", "team/resize:1")
    world.cronjobs.add("nightly", "team/batch:1", any_host=True, allocation_tags="tier-app")
    world.behave("team/ledger:crash", Behaviour("crash", log=["boom"]))
    world.command("migrate", Command(seconds=2, lines=[(0, "adding a column")]))
    world.command("fail", Command(exit_code=1))
    # The command line waits for ever for a job whose pods are no longer listed.
    world.jobs.lists_completed = True
    fates: dict[str, Fate] = {"team/api:crash": "crash", "team/shop:missing": "pull-error"}
    for image, fate in fates.items():
        world.behave(image, Behaviour(fate, log=["boom"]))
    return world


@pytest.fixture(scope="module")
def clis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Cli]]:
    """Return a command line for each generation of the portal."""
    new = Server(world_for("new"), tls=tmp_path_factory.mktemp("new-ca"))
    old = Server(world_for("old"), tls=tmp_path_factory.mktemp("old-ca"))
    with new, old:
        yield {
            portal: Cli(server, tmp_path_factory.mktemp(f"{portal}-home"))
            for portal, server in zip(PORTALS, (new, old), strict=True)
        }


@pytest.fixture(scope="module")
def waits(clis: dict[str, Cli]) -> Iterator[Waits]:
    """Start all waiting updates at once: the command line polls every 10 s."""
    updates = {"good": ("web", "team/web:2"), "crash": ("api", "team/api:crash")}
    only_new = {"missing": ("shop", "team/shop:missing")}
    with ThreadPoolExecutor(8) as pool:
        started: Waits = {}
        for portal, cli in clis.items():
            started_updates = updates | (only_new if portal == "new" else {})
            for outcome, (service, image) in started_updates.items():
                started[portal, outcome] = pool.submit(
                    cli, "service", "update_image", service, image, "--wait"
                )
        for outcome, service in {"ecs-good": "billing:2", "ecs-crash": "ledger:crash"}.items():
            name = service.split(":")[0]
            started["new", outcome] = pool.submit(
                clis["new"], "ecs", "update_image", name, f"team/{service}", "--wait"
            )
        for name in ("migrate", "fail"):
            path = clis["new"].home / f"{name}.yaml"
            path.write_text(JOB.format(name=name))
            started["new", name] = pool.submit(
                clis["new"], "job", "create", "-f", str(path), "--wait"
            )
        yield started


def test_it_runs_a_job_and_shows_its_log(clis: dict[str, Cli], waits: Waits) -> None:
    """Then it deletes the job, which is kept otherwise."""
    result = waits["new", "migrate"].result(SECONDS)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "ran successfully" in result.stdout
    assert "adding a column" in result.stderr
    jobs = clis["new"].server.world.jobs
    assert jobs.runs("migrate") == 2
    assert clis["new"]("job", "delete", "migrate").returncode == 0
    assert "migrate" not in jobs.left()


def test_it_reports_why_a_job_failed(waits: Waits) -> None:
    result = waits["new", "fail"].result(SECONDS)
    assert result.returncode != 0
    assert "BackoffLimitExceeded" in result.stdout + result.stderr


def test_it_updates_an_ecs_service(clis: dict[str, Cli], waits: Waits) -> None:
    result = waits["new", "ecs-good"].result(SECONDS)
    assert result.returncode == 0, result.stdout + result.stderr
    service = clis["new"].server.world.ecs.find(clis["new"].server.world.tenants[0], "billing")
    assert service.image == "team/billing:2"
    assert service.definition.endswith("duploservices-dev01-billing:2")


def test_it_reports_that_aws_rolled_an_ecs_service_back(clis: dict[str, Cli], waits: Waits) -> None:
    result = waits["new", "ecs-crash"].result(SECONDS)
    assert result.returncode != 0
    assert "deployment failed" in result.stdout + result.stderr
    service = clis["new"].server.world.ecs.find(clis["new"].server.world.tenants[0], "ledger")
    assert service.image == "team/ledger:1"


def test_it_updates_a_function(clis: dict[str, Cli]) -> None:
    world = clis["new"].server.world
    full = world.functions.items[0].name
    assert clis["new"]("lambda", "find", full).returncode == 0
    result = clis["new"]("lambda", "update_image", full, "team/resize:2")
    assert result.returncode == 0, result.stdout + result.stderr
    assert world.functions.items[0].image == "team/resize:2"
    again = clis["new"]("lambda", "update_image", full, "team/resize:3")
    assert again.returncode == 0 or "in progress" in again.stdout + again.stderr


@pytest.mark.parametrize("portal", PORTALS)
def test_it_updates_a_cronjob_and_keeps_its_settings(clis: dict[str, Cli], portal: str) -> None:
    job = clis[portal].server.world.cronjobs.items[0]
    result = clis[portal]("cronjob", "update_image", "nightly", "team/batch:2")
    assert result.returncode == 0, result.stdout + result.stderr
    assert job.image == "team/batch:2"
    assert job.any_host
    assert job.body()["AllocationTags"] == "tier-app"


@pytest.mark.parametrize("portal", PORTALS)
def test_it_lists_and_finds_services(clis: dict[str, Cli], portal: str) -> None:
    names = json.loads(clis[portal]("service", "list", "--query", "[].Name").stdout)
    assert names == ["web", "api", "shop"]
    service = json.loads(clis[portal]("service", "find", "shop").stdout)
    assert service["Template"]["Containers"][0]["Name"] == "shop"
    assert clis[portal]("service", "find", "nope").returncode != 0


@pytest.mark.parametrize("portal", PORTALS)
def test_it_reads_back_the_environment_that_the_pipe_wrote(
    clis: dict[str, Cli], portal: str, tmp_path: Path
) -> None:
    """Merging one more variable keeps those that it found."""
    server = clis[portal].server
    shop = server.world.add_service("env", "team/env:1", replicas=0)
    variables = environment(server.url, server.world.token, service="env", image="team/env:1")
    assert server.ca_path
    given = {"ENV": "LOG=debug\nNEW=x=y z", "WAIT": "false", "CA_CERT": server.ca_path.read_text()}
    assert run_pipe({**variables, **given}, Dependencies(), tmp_path).code == 0
    result = clis[portal]("service", "update_env", "env", "-V", "MORE", "1")
    server.world.services.remove(shop)
    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads(shop.other_docker_config)["Env"] == [
        {"Name": "LOG", "Value": "debug"},
        {"Name": "NEW", "Value": "x=y z"},
        {"Name": "MORE", "Value": "1"},
    ]


@pytest.mark.slow
@pytest.mark.parametrize("portal", PORTALS)
def test_it_updates_the_image_of_a_service(clis: dict[str, Cli], waits: Waits, portal: str) -> None:
    result = waits[portal, "good"].result(SECONDS)
    assert result.returncode == 0, result.stdout + result.stderr
    service = clis[portal].server.world.service("web")
    assert service.image == "team/web:2"
    assert service.allocation_tags == "tier-app"
    assert service.starts == 2
    assert [pod.ready for pod in service.pods if not pod.leaving] == [True, True]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("portal", "outcome", "text"),
    [
        ("new", "crash", "Back-off restarting failed container"),
        ("old", "crash", "Back-off restarting failed container"),
        ("new", "missing", "team/shop:missing"),
    ],
)
def test_it_reports_why_an_update_failed(
    waits: Waits, portal: str, outcome: str, text: str
) -> None:
    result = waits[portal, outcome].result(SECONDS)
    assert result.returncode != 0
    assert text in result.stdout + result.stderr


def test_it_uses_the_older_route_on_an_old_portal(clis: dict[str, Cli], waits: Waits) -> None:
    waits["old", "good"].result(SECONDS)
    log = clis["old"].server.world.log
    assert [record.status for record in log if record.path.endswith("web/containerimage")] == [404]
    assert any(record.path.endswith("/ReplicationControllerChange") for record in log)


@pytest.mark.slow
@pytest.mark.parametrize("portal", PORTALS)
def test_every_exchange_fits_the_vendors_models(
    clis: dict[str, Cli], waits: Waits, portal: str
) -> None:
    for key, started in waits.items():
        if key[0] == portal:
            started.result(SECONDS)
    # `service update_env` writes one key as `allocationTags`.
    log = clis[portal].server.world.log
    check_log(one for one in log if "allocationTags" not in json.dumps(one.body))


@pytest.mark.parametrize("portal", PORTALS)
def test_it_gets_the_tenants_aws_credentials(clis: dict[str, Cli], portal: str) -> None:
    result = clis[portal]("jit", "aws", "--nocache")
    assert result.returncode == 0, result.stdout + result.stderr
    credentials = json.loads(result.stdout[result.stdout.index("{") :])
    assert credentials["AccessKeyId"] == clis[portal].server.world.aws_access.issued[-1]
    assert credentials["SecretAccessKey"] == SECRET_KEY
    assert credentials["SessionToken"] == SESSION_TOKEN
    assert (credentials["Region"], credentials["Validity"]) == ("eu-west-1", 3600)
