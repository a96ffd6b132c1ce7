"""A report on the commit, through the proxy that signs requests for the step."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from bitbucket_pipes_toolkit import CodeInsights
from requests.adapters import BaseAdapter

from pipe.clock import SystemClock
from pipe.errors import Unreachable
from pipe.http import HttpClient
from pipe.http.excerpt import excerpt
from pipe.http.session import open_session
from pipe.notify.background import LIMITS, DeliveryFailed
from pipe.settings import Proxies, Step

Data = Mapping[str, Any]

PROXY = "http://host.docker.internal:29418"
"""Where a pipe finds the proxy; a plain request through it needs no credentials."""

_API = "http://api.bitbucket.org"
"""Plain, for the proxy to sign and to send on by TLS."""

_NO_PROXY = "Bitbucket's proxy cannot be reached; it is there only in a step on Bitbucket"
_LONGEST_TITLE = 450
_LONGEST_DETAILS = 2000


class _Requests:
    """The toolkit's HTTP handler as we need it: the one there retries, and ends the process."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def make_session_request(self, method: str, url: str, **given: Any) -> requests.Response:
        """Send one request; raises `DeliveryFailed` for whatever is no success."""
        try:
            reply = self._client.once(
                method,
                urlsplit(url).path.lstrip("/"),
                given.get("json"),
                data=given["data"].encode() if "data" in given else None,
                headers=given.get("headers"),
            )
        except Unreachable as error:
            raise DeliveryFailed(
                error.diagnosis if error.may_have_applied else _NO_PROXY
            ) from error
        if not reply.ok:
            raise DeliveryFailed(f'Bitbucket answered {reply.status}: "{excerpt(reply)}"')
        response = requests.Response()
        response.status_code = reply.status
        response.raw = io.BytesIO(reply.body)
        return response


def publish(data: Data, step: Step, proxy: str, adapter: BaseAdapter | None = None) -> None:
    """Put the report and an annotation per failure on the commit; raises `DeliveryFailed`.

    `adapter` replaces the network in tests.
    """
    insights = CodeInsights(step.repository, step.workspace)
    with open_session(_API, Proxies(http=proxy), "", adapter) as session:
        client = HttpClient(_API, session, SystemClock(), setting="CODE_INSIGHTS", limits=LIMITS)
        insights.http_client = _Requests(client)
        body = report(data)
        try:
            insights.create_report(step.commit, body)
            if notes := failures(data):
                insights.create_bulk_annotations(step.commit, body["external_id"], notes)
        except ValueError as error:
            said = " ".join(str(error).split())[:100]
            raise DeliveryFailed(f"Bitbucket's answer makes no sense: {said}") from error


def report(data: Data) -> dict[str, Any]:
    """The report as Bitbucket's API takes it."""
    good = data["exit_code"] == 0
    names = ", ".join(target["name"] for target in data["targets"])
    fields = [
        {"title": "Tenant", "type": "TEXT", "value": data["tenant"]},
        {"title": "Result", "type": "TEXT", "value": data["outcome"]},
        {"title": "Took", "type": "DURATION", "value": _milliseconds(data)},
    ]
    if data["tests"]:
        passed = sum(test["passed"] for test in data["tests"])
        told = f"{passed} of {len(data['tests'])} passed"
        fields.append({"title": "Tests", "type": "TEXT", "value": told})
    return {
        "title": f"Deploy of {names or data['tenant']}"[:_LONGEST_TITLE],
        "details": (data["summary"] or "-")[:_LONGEST_DETAILS],
        "external_id": _report_id(data),
        "report_type": "TEST",
        "reporter": "nholuongut deploy pipe",
        "result": "PASSED" if good else "FAILED",
        "data": fields,
        **({"link": link} if (link := data["step"]["link"]) else {}),
    }


def failures(data: Data) -> Sequence[Mapping[str, Any]]:
    """One note for each rollout and each test that failed."""
    return [
        {
            "external_id": f"{_report_id(data)}-{number}",
            "annotation_type": "BUG",
            "summary": summary[:_LONGEST_TITLE],
            "severity": "HIGH",
            "result": "FAILED",
            **({"details": details[:_LONGEST_DETAILS]} if details else {}),
        }
        for number, (summary, details) in enumerate(_failures(data), 1)
    ]


def _failures(data: Data) -> Iterator[tuple[str, str]]:
    for target in data["targets"]:
        if target["passed"] is False:
            yield f"{target['name']}: {target['message']}", target["state"]
    for test in data["tests"]:
        if not test["passed"]:
            yield f"{test['name']} {test['message']}", "\n".join(test["output"][-20:])


def _report_id(data: Data) -> str:
    """One for each environment and target, so that a run replaces the one before it."""
    names = [data["tenant"], *(target["name"] for target in data["targets"])]
    return re.sub(r"[^A-Za-z0-9_-]", "-", f"deploy-{'-'.join(names)}")[:50]


def _milliseconds(data: Data) -> int:
    if not data["finished"]:
        return 0
    took = datetime.fromisoformat(data["finished"]) - datetime.fromisoformat(data["started"])
    return round(took.total_seconds() * 1000)
