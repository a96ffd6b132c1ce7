"""A report on the commit, through the proxy that signs requests for the step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import requests
from bitbucket_pipes_toolkit import CodeInsights
from requests.adapters import BaseAdapter

from pipe.report.courier import Undelivered
from pipe.settings import Step

Data = Mapping[str, Any]

PROXY = "http://host.docker.internal:29418"
"""Where a pipe finds the proxy; a plain request through it needs no credentials."""

_TIMEOUT = (3.0, 4.0)
_LONGEST_TITLE = 450
_LONGEST_DETAILS = 2000


class _Requests:
    """The toolkit's HTTP handler as we need it: the one there retries, and ends the process."""

    def __init__(self, proxy: str, adapter: BaseAdapter | None) -> None:
        self._proxy = proxy
        self._adapter = adapter

    def make_session_request(self, method: str, url: str, **given: Any) -> requests.Response:
        """Send one request through the proxy; whatever goes wrong is raised."""
        given.pop("proxies", None)
        with requests.Session() as session:
            session.trust_env = False
            session.proxies = {"http": self._proxy}
            if self._adapter:
                session.mount("http://", self._adapter)
            return session.request(
                method, url, timeout=_TIMEOUT, allow_redirects=False, **given
            )  # fmt: skip


def publish(data: Data, step: Step, proxy: str, adapter: BaseAdapter | None = None) -> None:
    """Put the report and an annotation per failure on the commit; raises `Undelivered`.

    `adapter` replaces the network in tests.
    """
    insights = CodeInsights(step.repository, step.workspace)
    insights.http_client = _Requests(proxy, adapter)
    body = report(data)
    try:
        insights.create_report(step.commit, body)
        if notes := failures(data):
            insights.create_bulk_annotations(step.commit, body["external_id"], notes)
    except (requests.RequestException, ValueError) as error:
        raise Undelivered(_why(error)) from error


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
            yield f"{target['name']}: {target['told']}", target["state"]
    for test in data["tests"]:
        if not test["passed"]:
            yield f"{test['name']} {test['told']}", "\n".join(test["output"][-20:])


def _report_id(data: Data) -> str:
    """One for each environment and target, so that a run replaces the one before it."""
    names = [data["tenant"], *(target["name"] for target in data["targets"])]
    return re.sub(r"[^A-Za-z0-9_-]", "-", f"deploy-{'-'.join(names)}")[:50]


def _milliseconds(data: Data) -> int:
    if not data["finished"]:
        return 0
    took = datetime.fromisoformat(data["finished"]) - datetime.fromisoformat(data["started"])
    return round(took.total_seconds() * 1000)


def _why(error: Exception) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        said = " ".join(error.response.text.split())[:100]
        return f'Bitbucket answered {error.response.status_code}: "{said}"'
    if isinstance(error, requests.Timeout):
        return "Bitbucket's proxy does not answer"
    if isinstance(error, requests.ConnectionError):
        return "Bitbucket's proxy cannot be reached; it is there only in a step on Bitbucket"
    return f"Bitbucket's answer makes no sense: {' '.join(str(error).split())[:100]}"
