"""The user's tests before and after the change, as part of a whole run."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from flask import Flask, Response, request

from tests.deploy_tests.commands import FakeRunner
from tests.sandbox import ApiFault, Behaviour, WsgiAdapter
from tests.support.fake_clock import FakeClock
from tests.support.harness import Harness

SECRETS = {
    "BITBUCKET_STEP_OIDC_TOKEN": "oidc-token-0123456789",
    "PIPELINES_JWT_TOKEN": "jwt-token-0123456789",
    "SLACK_WEBHOOK": "http://127.0.0.1:1/services/T000/B000/slack-secret-01234",
    "AWS_SECRET": "a variable of the user",
}


@pytest.fixture(autouse=True)
def _quick(harness: Harness) -> None:
    """No test here receives the notifications."""
    harness.dependencies["notification_seconds"] = 0.2


def test_a_failed_pre_deploy_test_changes_nothing(harness: Harness) -> None:
    """Exit 6, without any write request."""
    harness.web()
    result = harness.deploy(PRE_DEPLOY_TEST="echo checking; echo broken >&2; exit 3")
    assert result.code == 6
    assert harness.world.write_attempts() == []
    assert "PRE_DEPLOY_TEST | checking" in result.log
    assert "PRE_DEPLOY_TEST | broken" in result.log
    assert "✖ PRE_DEPLOY_TEST failed with exit status 3" in result.stdout
    assert "Nothing was changed." in result.stdout
    assert (result.report["outcome"], result.report["changed"]) == ("pre-test", False)


def test_pre_and_post_deploy_tests_run_around_the_change(harness: Harness) -> None:
    """The first after the plan and before the write, the second once the target is ready."""
    web = harness.web()
    result = harness.deploy(PRE_DEPLOY_TEST="true", POST_DEPLOY_TEST="true")
    assert result.code == 0
    lines = result.log.splitlines()
    order = [
        next(number for number, line in enumerate(lines) if words in line)
        for words in ("Plan: web", "PRE_DEPLOY_TEST passed", "web: changed", "ready, 2 pods",
                      "POST_DEPLOY_TEST passed")
    ]  # fmt: skip
    assert order == sorted(order)
    assert web.image == "team/web:1.4.2"


def test_another_deployment_during_the_test_is_detected(harness: Harness) -> None:
    """The target is read again after the test, however long that took."""
    harness.web()
    runner = FakeRunner(lambda: harness.world.service("web").set_images(
        {"duplo-main-container": "team/web:9.9.9"}, "another-user"))  # fmt: skip
    harness.dependencies["runner"] = runner
    result = harness.deploy(PRE_DEPLOY_TEST="true")
    assert result.code == 7
    assert harness.world.write_attempts() == []


def test_a_failed_post_deploy_test_without_rollback_keeps_the_new_version(harness: Harness) -> None:
    """Exit 10, with advice on how to roll back."""
    web = harness.web()
    result = harness.deploy(POST_DEPLOY_TEST="echo 'expected 200, got 500'; exit 1")
    assert result.code == 10
    assert web.image == "team/web:1.4.2"
    assert "The rollout succeeded, but POST_DEPLOY_TEST failed with exit status 1" in result.stdout
    assert "2 pods up on team/web:1.4.2" in result.stdout
    assert "IMAGE: 'team/web:1.4.1'" in result.log


def test_a_failed_post_deploy_test_with_rollback_restores_the_previous_version(
    harness: Harness,
) -> None:
    """Exit 8, once verified; the test's output and the evidence come first."""
    web = harness.web()
    harness.world.behave("team/web:1.4.2", Behaviour("run", log=["served /orders with 500"]))
    result = harness.deploy(
        POST_DEPLOY_TEST="echo 'expected 200, got 500'; exit 1", ROLLBACK="true"
    )
    assert result.code == 8
    assert web.image == "team/web:1.4.1"
    assert {pod.image for pod in web.pods if not pod.leaving} == {"team/web:1.4.1"}
    assert "Rolled back to the previous version and verified" in result.stdout
    output = result.log.index("POST_DEPLOY_TEST | expected 200, got 500")
    evidence = result.log.index("| served /orders with 500")
    assert output < evidence < result.log.index("rolling back to")
    (target,) = result.report["targets"]
    assert target["passed"] is True
    assert target["rollback"].startswith("restored: ready")
    assert target["rollback_timeline"][-1]["up"] == 2


def test_a_failed_post_deploy_test_whose_rollback_fails(harness: Harness) -> None:
    """Exit 9, with both reasons."""
    harness.web()

    def spoil() -> None:
        harness.world.behave("team/web:1.4.1", Behaviour("crash"))

    harness.dependencies["runner"] = FakeRunner(spoil, status=1)
    result = harness.deploy(POST_DEPLOY_TEST="whatever", ROLLBACK="true")
    assert result.code == 9
    assert "Rollback failed" in result.stdout


def test_tests_see_the_deploy_variables_and_no_secrets(harness: Harness) -> None:
    """Secrets are withheld under any name."""
    harness.web(lb={"Port": "8080"})
    given = {
        **SECRETS,
        "MY_COPY": f"Bearer {harness.world.token}",
        "REPORT_DIR": "",
        "GREETING": "hello",
    }
    seen = harness.folder / "seen"
    result = harness.deploy(PRE_DEPLOY_TEST=f"printenv > {seen.name}", **given)
    assert result.code == 0
    text = seen.read_text("utf-8")
    values = dict(line.split("=", 1) for line in text.splitlines())
    assert values["DEPLOY_TENANT"] == "dev01"
    assert values["DEPLOY_TARGETS"] == "web"
    assert values["DEPLOY_IMAGE"] == "team/web:1.4.2"
    assert values["DEPLOY_PREVIOUS_IMAGE"] == "team/web:1.4.1"
    assert values["DEPLOY_URL"] == "https://web-dev01.apps.example.com"
    assert values["GREETING"] == "hello"
    assert not {"DUPLO_TOKEN", "MY_COPY", *list(SECRETS)[:3]} & set(values)
    assert "Tests do not receive MY_COPY: the value contains a secret of the pipe." in result.log
    for secret in (harness.world.token, *list(SECRETS.values())[:3]):
        assert secret not in text


def test_secrets_printed_by_a_test_are_masked(harness: Harness) -> None:
    """In the log and in reports, plain or as base64."""
    harness.web()
    (harness.folder.parent / "token").write_text(f"{harness.world.token}\n")
    result = harness.deploy(
        PRE_DEPLOY_TEST="cat ../token; base64 < ../token; exit 1", BITBUCKET_BUILD_NUMBER="1"
    )
    assert result.code == 6
    assert "PRE_DEPLOY_TEST | ***" in result.log
    assert result.report["tests"][0]["output"][0] == "***"


def test_a_dry_run_runs_no_tests(harness: Harness) -> None:
    """It only prints the plan."""
    harness.web()
    result = harness.deploy(
        DRY_RUN="true", PRE_DEPLOY_TEST="touch ran", POST_DEPLOY_TEST="touch ran"
    )
    assert result.code == 0
    assert not (harness.folder / "ran").exists()


def test_without_changes_no_tests_run(harness: Harness) -> None:
    """The first run of a step ends at once if there is nothing to change."""
    harness.web()
    result = harness.deploy(
        "team/web:1.4.1", POST_DEPLOY_TEST="exit 1", BITBUCKET_STEP_RUN_NUMBER="1"
    )
    assert result.code == 0
    assert "Nothing to change" in result.stdout


def test_a_repeated_step_tests_what_the_first_run_changed(harness: Harness) -> None:
    """The first run may have been stopped before its tests; nothing is written again."""
    harness.web()
    assert harness.deploy().code == 0
    writes = len(harness.world.writes())
    result = harness.deploy(
        PRE_DEPLOY_TEST="touch before",
        POST_DEPLOY_TEST="touch after",
        BITBUCKET_STEP_RUN_NUMBER="2",
    )
    assert result.code == 0
    assert len(harness.world.writes()) == writes
    assert (harness.folder / "after").exists()
    assert not (harness.folder / "before").exists()


def test_a_repeated_step_rolls_back_what_the_first_run_changed(harness: Harness) -> None:
    """The portal's history holds the previous image."""
    web = harness.web()
    harness.deploy()
    result = harness.deploy(
        POST_DEPLOY_TEST="exit 1", ROLLBACK="true", BITBUCKET_STEP_RUN_NUMBER="2"
    )
    assert result.code == 8
    assert web.image == "team/web:1.4.1"


def test_a_resumed_rollout_is_tested(harness: Harness) -> None:
    """The test runs once the rollout was followed to its end."""
    harness.web()
    harness.world.service("web").set_images({"duplo-main-container": "team/web:1.4.2"}, "ci")
    result = harness.deploy(POST_DEPLOY_TEST="touch after")
    assert result.code == 0
    assert harness.world.writes() == []
    assert (harness.folder / "after").exists()


def test_a_failed_rollout_is_not_tested(harness: Harness) -> None:
    """The run ends before the post-deploy test."""
    harness.web()
    harness.world.behave("team/web:bad", Behaviour("crash"))
    result = harness.deploy("team/web:bad", POST_DEPLOY_TEST="touch after")
    assert result.code == 10
    assert not (harness.folder / "after").exists()


def test_the_probe_runs_after_the_command(harness: Harness) -> None:
    """A path is completed with the service's address; the first failure ends the tests."""
    harness.web(lb={"Port": "8080"})
    outside = _Outside(harness.clock)
    harness.hosts["web-dev01.apps.example.com"] = outside
    result = harness.deploy(POST_DEPLOY_TEST="true", POST_DEPLOY_URL="/health?deep=1")
    assert result.code == 0, result.log
    assert outside.urls == ["https://web-dev01.apps.example.com/health?deep=1"] * 3
    assert outside.tokens == []
    assert [test["name"] for test in result.report["tests"]] == [
        "POST_DEPLOY_TEST",
        "POST_DEPLOY_URL",
    ]
    outside.status = 503
    result = harness.deploy("team/web:1.4.3", POST_DEPLOY_URL="/health", ROLLBACK="true")
    assert result.code == 8
    assert "last response: status 503, expected 200-399" in result.stdout
    assert "POST_DEPLOY_URL | out of order" in result.log


def test_a_path_without_an_address_fails_before_the_change(harness: Harness) -> None:
    """Exit 2: the portal knows no public address."""
    harness.web()
    result = harness.deploy(POST_DEPLOY_URL="/health")
    assert result.code == 2
    assert harness.world.write_attempts() == []
    assert "POST_DEPLOY_URL is only a path" in result.log
    assert "Write the complete address" in result.log


def test_the_load_balancers_name_is_the_last_resort(harness: Harness) -> None:
    """It is only read when no better name is known."""
    harness.web(lb={"ExternalPort": 80})
    known = harness.deploy(POST_DEPLOY_TEST="true")
    assert known.report["url"] == "http://web-dev01.apps.example.com"
    assert not [record for record in harness.world.log if "LbDetails" in record.path]
    # With empty settings the sandbox lists a listener without a name.
    harness.world.add_service("api", "team/api:1", lb={})
    unknown = harness.deploy("team/api:2", SERVICE="api", POST_DEPLOY_TEST="true")
    assert unknown.report["url"] == "https://duplo-api-1234.us-west-2.elb.example.com"


def test_a_broken_route_for_the_load_balancer_costs_nothing(harness: Harness) -> None:
    """The address is only a convenience in a deploy without tests."""
    harness.world.add_service("api", "team/api:1", lb={})
    usual = harness.deploy("team/api:2", SERVICE="api").seconds
    harness.world.script(ApiFault("GET", "GetLbDetailsInService", status=500, times=99))
    broken = harness.deploy("team/api:3", SERVICE="api")
    assert broken.code == 0
    assert broken.report["url"] is None
    assert broken.seconds < usual + 1


@pytest.mark.parametrize("name", ["PRE_DEPLOY_TEST", "POST_DEPLOY_TEST"])
def test_a_missing_docker_service_fails_before_the_change(harness: Harness, name: str) -> None:
    """Exit 2, for the post-deploy test as well."""
    harness.web()
    result = harness.deploy(
        **{name: "true", f"{name}_IMAGE": "team/tests:1", "DOCKER_HOST": "tcp://127.0.0.1:1"}
    )
    assert result.code == 2
    assert harness.world.write_attempts() == []
    assert f"{name}_IMAGE needs a Docker service" in result.log
    assert "services: [docker]" in result.log


def test_every_test_and_rollout_is_in_the_junit_report(harness: Harness) -> None:
    """In test-results in the clone folder, where Bitbucket looks."""
    harness.web()
    harness.deploy(PRE_DEPLOY_TEST="echo fine", POST_DEPLOY_TEST="echo 'a < b & c'; exit 1")
    (path,) = (harness.folder / "test-results").iterdir()
    assert path.name == "deploy-dev01-web.xml"
    suite = ET.fromstring(path.read_text("utf-8")).find("testsuite")
    assert suite is not None
    assert [case.get("name") for case in suite] == [
        "PRE_DEPLOY_TEST",
        "rollout of web",
        "POST_DEPLOY_TEST",
    ]
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "a < b & c" in str(failure.text)


def test_a_junit_report_that_cannot_be_written_is_a_warning(harness: Harness) -> None:
    """A report never changes how the run ends."""
    harness.web()
    (harness.folder / "blocked").write_text("a file")
    result = harness.deploy(TEST_REPORT_DIR="blocked/below")
    assert result.code == 0
    assert "Cannot write the test report" in result.log


def test_an_interrupt_during_a_test_cancels_the_run(harness: Harness) -> None:
    """Exit 11, with the state of the target."""
    harness.web()

    def stop() -> None:
        raise KeyboardInterrupt

    harness.dependencies["runner"] = FakeRunner(stop)
    result = harness.deploy(POST_DEPLOY_TEST="true")
    assert result.code == 11
    assert "2 pods up on team/web:1.4.2" in result.stdout


def test_contradictory_and_invalid_variables_are_refused(harness: Harness) -> None:
    """Exit 2, with one line for each."""
    harness.web()
    result = harness.deploy(
        WAIT="false",
        POST_DEPLOY_TEST="true",
        PRE_DEPLOY_TEST_IMAGE="team/tests:1",
        POST_DEPLOY_STATUS="20",
        POST_DEPLOY_BODY="(",
        POST_DEPLOY_URL="ftp://x",
        TEST_TIMEOUT="0",
        CODE_INSIGHTS="maybe",
        SLACK_WEBHOOK="http://hooks.example/x",
    )
    assert result.code == 2
    for name in (
        "PRE_DEPLOY_TEST_IMAGE is set without PRE_DEPLOY_TEST",
        "POST_DEPLOY_TEST needs WAIT",
        "POST_DEPLOY_STATUS must be codes",
        "POST_DEPLOY_BODY is not a valid regular expression",
        "POST_DEPLOY_URL must be a path",
        "TEST_TIMEOUT must be a whole number",
        "CODE_INSIGHTS must be true or false",
        "SLACK_WEBHOOK must begin with https://",
    ):
        assert name in result.log
    assert "hooks.example" not in result.log


class _Outside(WsgiAdapter):
    """A web site for every host other than the portal."""

    def __init__(self, clock: FakeClock) -> None:
        self.urls: list[str] = []
        self.tokens: list[str] = []
        self.status = 200
        app = Flask("outside")

        @app.get("/<path:path>")
        def answer(path: str) -> Response:
            self.urls.append(request.url)
            self.tokens += [value for name, value in request.headers if name == "Authorization"]
            return Response("out of order" if self.status != 200 else "ok", status=self.status)

        super().__init__(app, clock)
