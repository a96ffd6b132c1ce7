"""Planted records: files that claim to be what an earlier run left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipe.report import Recorder, files
from pipe.report.authenticity import is_authentic, sign
from pipe.secret import Mask, Secret
from pipe.settings import Settings
from tests.sandbox import Behaviour
from tests.support.environment import NEW_IMAGE, OLD_IMAGE, STEP
from tests.support.harness import HOST, Harness, at_time
from tests.support.records import plant

EVIL = "evil.example/backdoor:1"
BAD = "team/web:bad"
AGAIN = {**STEP, "BITBUCKET_STEP_RUN_NUMBER": "2"}
NOT_SIGNED = "is not used: it is not signed with the portal token"

Forge = Callable[[Path, dict[str, Any], str], None]


def unsigned(path: Path, record: dict[str, Any], token: str) -> None:
    """Plant a record as someone does who knows nothing of signatures."""
    del token
    path.write_text(json.dumps(record), "utf-8")


def signed_with_another_token(path: Path, record: dict[str, Any], token: str) -> None:
    """Plant a record of someone who has a token of their own."""
    plant(path, record, f"{token}-other")


def with_a_guessed_mac(path: Path, record: dict[str, Any], token: str) -> None:
    """Plant a record that looks signed."""
    del token
    path.write_text(json.dumps({**record, "mac": "0" * 64}, indent=2) + "\n", "utf-8")


def with_the_mac_of_another(path: Path, record: dict[str, Any], token: str) -> None:
    """Plant a record that carries the end of a genuine one."""
    plant(path, {**record, "targets": []}, token)
    ending = path.read_bytes().rpartition(b",\n")[2]
    path.write_bytes(json.dumps(record).encode().removesuffix(b"}") + b",\n" + ending)


FORGERIES = [unsigned, signed_with_another_token, with_a_guessed_mac, with_the_mac_of_another]
every_forgery = pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)


def record(kind: str = "service", name: str = "web", **target: Any) -> dict[str, Any]:
    """Return the record of a run that was killed; by default it deployed `BAD` over `EVIL`."""
    return {
        "portal": HOST,
        "tenant": "dev01",
        "action": "deploy",
        "exit_code": None,
        "changed": True,
        "step": {"step": "{step}", "pipeline": "{pipeline}", "run_number": "1"},
        "targets": [
            {
                "kind": kind,
                "name": name,
                "before": {"": EVIL},
                "after": {"": BAD},
                "rollback_to": {"": EVIL},
                "version": "x",
                "previous_pods": [],
                **target,
            }
        ],
    }


def path_of(harness: Harness) -> Path:
    """Return where a run looks for the record."""
    harness.report_dir.mkdir(exist_ok=True)
    return harness.report_dir / "deploy.json"


def stopped_deploy(harness: Harness, **options: Any) -> Any:
    """Stop a run that deploys `BAD`, which fails, and return the service."""
    web = harness.web(**options)
    harness.world.behave(BAD, Behaviour("crash"))
    at_time(harness.clock, 1.0, interrupt)
    assert harness.deploy(BAD).code == 11
    assert web.image == BAD
    return web


def resume_and_roll_back(harness: Harness) -> int:
    """Return the exit code of the run that follows a stopped one."""
    return harness.deploy(BAD, ROLLBACK="true", **AGAIN).code


def images_written(harness: Harness) -> str:
    """Return the bodies of all changes, as text."""
    return " ".join(str(record.body) for record in harness.world.writes())


@every_forgery
def test_a_planted_record_does_not_name_the_image_to_roll_back_to(
    harness: Harness, forge: Forge
) -> None:
    """Without a history the previous image stays unknown."""
    stopped_deploy(harness, history=False)
    forge(path_of(harness), record(), harness.world.token)
    assert resume_and_roll_back(harness) == 9
    assert EVIL not in images_written(harness)
    assert NOT_SIGNED in harness.output


@every_forgery
def test_a_planted_record_does_not_name_the_image_of_a_rollback_action(
    harness: Harness, forge: Forge
) -> None:
    """IMAGE is deployed; without it nothing is changed."""
    function = harness.world.functions.add("resize", BAD)
    forge(path_of(harness), record("lambda", "resize"), harness.world.token)
    given = {"KIND": "lambda", "SERVICE": "resize", "ACTION": "rollback"}
    assert harness.deploy("", **given, DRY_RUN="true").code == 2
    forge(path_of(harness), record("lambda", "resize"), harness.world.token)
    assert harness.deploy("team/resize:6", **given).code == 0
    assert function.image == "team/resize:6"


@every_forgery
def test_a_planted_record_does_not_prevent_a_restart(harness: Harness, forge: Forge) -> None:
    """Only what an earlier attempt of the step really did is not repeated."""
    web = harness.web()
    harness.clock.advance(86400.0)
    forge(path_of(harness), record(after={"": OLD_IMAGE}, restart=True), harness.world.token)
    assert harness.deploy(OLD_IMAGE, RESTART="true", **AGAIN).code == 0
    assert web.starts == 2


@every_forgery
def test_a_planted_record_does_not_prevent_a_rollback(harness: Harness, forge: Forge) -> None:
    """It claims that an earlier attempt has rolled back already."""
    web = harness.web()
    assert harness.deploy().code == 0
    harness.clock.advance(86400.0)
    claim = record(before={"": OLD_IMAGE}, after={"": NEW_IMAGE}) | {"action": "rollback"}
    forge(path_of(harness), claim, harness.world.token)
    assert harness.deploy("", ACTION="rollback", **AGAIN).code == 0
    assert web.image == OLD_IMAGE


def test_a_record_counts_as_signed(harness: Harness) -> None:
    """The same claims with the right token do count, or the tests above would prove nothing."""
    web = harness.web()
    harness.clock.advance(86400.0)
    plant(path_of(harness), record(after={"": OLD_IMAGE}, restart=True), harness.world.token)
    assert harness.deploy(OLD_IMAGE, RESTART="true", **AGAIN).code == 0
    assert web.starts == 0
    assert NOT_SIGNED not in harness.output


def test_the_portals_history_outweighs_an_authentic_record(harness: Harness) -> None:
    """For the rollback of a change that an earlier run made."""
    web = stopped_deploy(harness)
    plant(path_of(harness), record(), harness.world.token)
    assert resume_and_roll_back(harness) == 8
    assert web.image == OLD_IMAGE


def test_image_outweighs_an_authentic_record(harness: Harness) -> None:
    """In `ACTION: rollback`; the record comes last."""
    function = harness.world.functions.add("resize", BAD)
    plant(path_of(harness), record("lambda", "resize"), harness.world.token)
    given = {"KIND": "lambda", "SERVICE": "resize", "ACTION": "rollback"}
    assert harness.deploy("team/resize:6", **given).code == 0
    assert function.image == "team/resize:6"


def test_an_image_that_contradicts_the_history_is_an_error(harness: Harness) -> None:
    """In `ACTION: rollback`: it may never have run, and the user asked for it all the same."""
    web = harness.web()
    assert harness.deploy().code == 0
    assert harness.deploy("team/web:7", ACTION="rollback").code == 2
    assert web.image == NEW_IMAGE
    assert "IMAGE gives team/web:7 for web, but the portal's history shows" in harness.output
    assert harness.deploy(OLD_IMAGE, ACTION="rollback").code == 0


def test_the_images_of_a_rollback_action_are_verified(harness: Harness) -> None:
    """With VERIFY_IMAGE: 'true', wherever they come from."""
    web = harness.web()
    assert harness.deploy().code == 0
    result = harness.deploy("", ACTION="rollback", VERIFY_IMAGE="true")
    assert result.code == 5
    assert f"The image {OLD_IMAGE} could not be verified" in result.stdout
    assert web.image == NEW_IMAGE


@pytest.mark.parametrize("text", ["team/***:1", "***", "registry.example/***/web:1", "a b", ""])
def test_a_recorded_image_that_cannot_be_deployed_is_not_used(harness: Harness, text: str) -> None:
    """A masked image, for example: deploying it would break the target."""
    stopped_deploy(harness, history=False)
    plant(path_of(harness), record(rollback_to={"": text}), harness.world.token)
    assert resume_and_roll_back(harness) == 9
    assert "***" not in images_written(harness)


def test_a_masked_image_is_not_restored_by_a_rollback_action(harness: Harness) -> None:
    """The run ends before it changes anything."""
    harness.world.functions.add("resize", BAD)
    masked = record("lambda", "resize", before={"": "registry.example/***/resize:1"})
    plant(path_of(harness), masked, harness.world.token)
    result = harness.deploy("", KIND="lambda", SERVICE="resize", ACTION="rollback")
    assert result.code == 2
    assert "is not an image" in result.log
    assert harness.world.writes() == []


def test_a_record_from_before_a_change_of_the_token_counts_as_none(harness: Harness) -> None:
    """The log gives the reason, and the portal's time still identifies the restart."""
    web = harness.web()
    harness.clock.advance(86400.0)
    at_time(harness.clock, 2.0, interrupt)
    assert harness.deploy(OLD_IMAGE, RESTART="true", **STEP).code == 11
    harness.world.add_token("another-token-0123456789")
    result = harness.deploy(
        OLD_IMAGE, RESTART="true", DUPLO_TOKEN="another-token-0123456789", **AGAIN
    )
    assert result.code == 0
    assert NOT_SIGNED in result.log
    assert "followed, not repeated" in result.log
    assert web.starts == 2


def test_every_record_of_a_run_is_signed(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the one that is written before the first change, which a killed run leaves."""
    harness.web()
    written: list[bytes] = []
    write = files.write

    def write_and_read(settings: Settings, recorder: Recorder, mask: Mask) -> None:
        write(settings, recorder, mask)
        written.append(path_of(harness).read_bytes())

    monkeypatch.setattr("pipe.report.write", write_and_read)
    harness.deploy()
    assert [json.loads(one)["outcome"] for one in written] == ["running", "done"]
    assert all(is_authentic(one, Secret(harness.world.token)) for one in written)


def test_the_record_of_a_run_without_a_token_is_no_reason_for_a_warning(harness: Harness) -> None:
    """Such a run changed nothing; with DUPLO_TOKEN_SECRET every preflight check is one."""
    harness.web()
    plant(path_of(harness), record(), "")
    result = harness.deploy()
    assert result.code == 0
    assert any(NOT_SIGNED in line for line in result.log.splitlines() if line.startswith("INFO"))


def test_any_changed_byte_makes_a_record_unauthentic() -> None:
    """And any missing or additional one."""
    token = Secret("a-token-0123456789")
    signed = sign(b'{\n  "targets": []\n}\n', token)
    assert is_authentic(signed, token)
    assert json.loads(signed)["targets"] == []
    for place in range(len(signed)):
        changed = signed[:place] + bytes([signed[place] ^ 1]) + signed[place + 1 :]
        assert not is_authentic(changed, token)
        assert not is_authentic(signed[:place], token)
        assert not is_authentic(signed[place + 1 :], token)
    assert not is_authentic(signed + b"\n", token)


def test_without_a_token_nothing_is_signed_or_authentic() -> None:
    """The MAC is null then."""
    empty = sign(b'{"targets": []}', Secret(""))
    assert json.loads(empty)["mac"] is None
    assert not is_authentic(empty, Secret(""))
    assert not is_authentic(sign(b'{"targets": []}', Secret("x")), Secret(""))


def interrupt() -> None:
    """Raise what SIGTERM becomes inside a run."""
    raise KeyboardInterrupt
