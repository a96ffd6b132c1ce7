"""Hostile values from outside stay values: in logs, reports, shells and addresses."""

from __future__ import annotations

import html.parser
import json
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from tests.reliability.scenarios import FAILED, ROLLBACK, ScenarioHarness
from tests.sandbox import ApiFault, Behaviour, WsgiAdapter
from tests.support.fake_clock import FakeClock
from tests.support.harness import RunResult

HOSTILE = [
    "x\n✔ web runs team/web:1.4.2. (exit code 0)",
    "x\r\nERROR: forged",
    "\x1b[2J\x1b[1;31mred\x1b]0;title\x07",
    "x\u2028INFO: forged\u2029\x85INFO: forged\x0bINFO: forged",
    "\u202egnp.exe\u202c\u200f",
    "$(touch pwned) `touch pwned` '; touch pwned; '\"; touch pwned; \"",
    "x'\nDEPLOY_OUTCOME='forged",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "]]><testcase name='forged'/><!--",
    "<!channel> <@U123|eve> *bold* <https://evil.example|click>",
    "%s %d %(levelname)s {0} {levelname}",
    "a" * 100_000,
    "\ud800 lone surrogate",
    "\x00",
]
# The sandbox holds no names that are not UTF-8; log lines cover them as JSON.
ENCODABLE = [text for text in HOSTILE if "surrogate" not in text]


def brief(text: str) -> str:
    """Return a short test id."""
    return ascii(text[:12])


class Tags(html.parser.HTMLParser):
    """Collects elements and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.seen and self.seen[-1][0] == "script":
            self.scripts.append(data)


def check_log(harness: ScenarioHarness, result: RunResult) -> None:
    """Check that the log has only lines of the pipe, without control characters."""
    assert result.code != 1, result.text
    for line in result.log.splitlines():
        assert not line or line.split(":")[0] in ("DEBUG", "INFO", "WARNING", "ERROR"), line
        assert line.isprintable(), ascii(line)
        assert len(line) < 20_000
    assert result.stdout.count("✔") + result.stdout.count("✖") <= 1 or "✖" in result.stdout
    assert len(result.stdout.strip().splitlines()) == 1


def check_files(harness: ScenarioHarness) -> None:
    """Check that every written file is valid and runs nothing."""
    for path in harness.folder.rglob("*"):
        if path.suffix == ".json":
            json.loads(path.read_text("utf-8"))
        elif path.suffix == ".env":
            check_env(path)
        elif path.suffix == ".html":
            check_html(path)
        elif path.suffix == ".xml":
            names = [case.get("name", "") for case in ET.parse(path).iter("testcase")]
            assert "forged" not in names
    assert not list(harness.folder.rglob("pwned"))


def check_env(path: Path) -> None:
    """Check that each line is an assignment, and that a shell that reads it runs nothing."""
    lines = path.read_text("utf-8").splitlines()
    assert all(line.startswith("DEPLOY_") for line in lines), lines
    assert len({line.split("=")[0] for line in lines}) == len(lines)
    script = f'set -eu; . "{path}"; printf %s "$DEPLOY_OUTCOME"'
    done = subprocess.run(
        ["sh", "-c", script], cwd=path.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout != "forged"
    assert done.stderr == ""


def check_html(path: Path) -> None:
    """Check that values added no element, handler or external address."""
    page = Tags()
    page.feed(path.read_text("utf-8"))
    for tag, attributes in page.seen:
        assert not [name for name in attributes if name.startswith("on")]
        outside = attributes.get("src") or (attributes.get("href") if tag == "link" else None)
        assert not outside or outside.startswith("data:")
    assert not [text for text in page.scripts if "alert(1)" in text]


@pytest.mark.parametrize("text", HOSTILE, ids=brief)
@pytest.mark.parametrize("scenario", [FAILED, ROLLBACK], ids=str)
def test_faults_and_logs_of_pods_are_quoted(text: str, scenario: object, tmp_path: Path) -> None:
    """They stay plain text in the log and in every report."""
    harness = ScenarioHarness(tmp_path, scenario)  # type: ignore[arg-type]
    fault = f"Back-off {text}"
    harness.world.behave("team/web:bad", Behaviour("crash", log=(text,), fault=fault))
    result = harness.run()
    assert result.code == harness.scenario.code
    check_log(harness, result)
    check_files(harness)


@pytest.mark.parametrize("text", HOSTILE, ids=brief)
def test_markup_in_a_slack_message_stays_text(text: str, tmp_path: Path) -> None:
    """No value adds a mention, a link or a line."""
    harness = ScenarioHarness(tmp_path, ROLLBACK)
    fault = f"Back-off {text}"
    harness.world.behave("team/web:bad", Behaviour("crash", log=(text,), fault=fault))
    messages: list[dict[str, Any]] = []

    def slack(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        messages.append(json.loads(Request(environ).get_data()))
        return Response("ok")(environ, start_response)

    # Notifications use their own clock.
    harness.other_hosts = {"hooks.example": WsgiAdapter(slack, FakeClock())}
    result = harness.run(SLACK_WEBHOOK="https://hooks.example/services/T/B/0", NOTIF_ENV="<!here>")
    assert result.code == harness.scenario.code
    assert len(messages) == 2
    for message in messages:
        (details,) = message["attachments"]
        texts = (message["text"], details["text"], details["fallback"])
        assert not [text for text in texts if "<" in text or ">" in text]
        assert all(line.isprintable() for part in texts for line in part.split("\n"))
        assert message["text"].count("\n") + details["fallback"].count("\n") == 0
        kinds = [line.split(" ")[0] for line in details["text"].split("\n")]
        assert kinds in (["web:", "Tenant"], ["web:", kinds[1], "Tenant"]), details["text"]


@pytest.mark.parametrize("text", ENCODABLE, ids=brief)
def test_a_hostile_previous_image_is_quoted(text: str, tmp_path: Path) -> None:
    """The previous image comes from the portal, not from the pipe's grammar."""
    harness = ScenarioHarness(tmp_path, FAILED)
    harness.web.main_image = text
    check_log(harness, harness.run())
    check_files(harness)


@pytest.mark.parametrize("text", ENCODABLE, ids=brief)
def test_hostile_names_in_suggestions_are_quoted(text: str, tmp_path: Path) -> None:
    """Suggestions for a misspelt name come from the portal."""
    harness = ScenarioHarness(tmp_path, FAILED)
    harness.world.add_tenant(f"dev02{text}")
    harness.world.add_service(f"webb{text}", "team/web:1")
    for wrong in ({"SERVICE": "webc"}, {"TENANT": "dev03"}):
        result = harness.run(**wrong)
        assert result.code == 4
        check_log(harness, result)
        check_files(harness)


@pytest.mark.parametrize("text", HOSTILE, ids=brief)
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 503])
def test_hostile_responses_of_the_portal_are_quoted(text: str, status: int, tmp_path: Path) -> None:
    """Error bodies and redirects stay plain text."""
    harness = ScenarioHarness(tmp_path, FAILED)
    body = text.encode("utf-8", "replace").decode()
    printable = "".join(char for char in body[:200] if " " <= char <= "~")
    headers = {"Location": f"https://evil.example/{printable}", "Retry-After": printable}
    fault = ApiFault(status=status, body=body, headers=headers, times=99, skip=1)
    harness.world.script(fault)
    check_log(harness, harness.run())
    check_files(harness)


@pytest.mark.parametrize("text", [text for text in ENCODABLE if "\x00" not in text], ids=brief)
@pytest.mark.parametrize(
    "name", ["IMAGE", "SERVICE", "TENANT", "DUPLO_HOST", "NO_PROXY", "CA_CERT"]
)
def test_hostile_variables_forge_no_log_line(name: str, text: str, tmp_path: Path) -> None:
    """Titles of pull requests and names of branches end up in variables."""
    harness = ScenarioHarness(tmp_path, FAILED)
    check_log(harness, harness.run(**{name: text}))
    check_files(harness)


def test_a_lone_surrogate_in_an_id_is_reported(tmp_path: Path) -> None:
    """JSON can hold one, an address cannot."""
    harness = ScenarioHarness(tmp_path, FAILED)
    harness.world.tenants[0].id = "\ud800"
    result = harness.run()
    assert result.code == 4
    assert "The portal returned a name that is not valid Unicode" in result.stdout


@pytest.mark.parametrize("name", ["..", "a/b", "a?b#c", "%2e%2e", "a b"])
def test_a_hostile_name_reaches_no_other_address(name: str, tmp_path: Path) -> None:
    """Names are escaped in paths; most are refused earlier."""
    harness = ScenarioHarness(tmp_path, FAILED)
    harness.world.tenants[0].id = name
    result = harness.run()
    assert result.code in (0, 4, 10)
    prefixes = ("/admin", "/subscriptions/", "/v3/subscriptions/", "/adminproxy")
    assert all(record.path.startswith(prefixes) for record in harness.world.log)
    assert all(record.query == "" for record in harness.world.log)
