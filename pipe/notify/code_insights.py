"""A report on the commit, through the proxy that signs requests for the step."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter

from pipe.clock import SystemClock
from pipe.errors import Unreachable
from pipe.http import HttpClient
from pipe.http.excerpt import excerpt
from pipe.http.session import open_session
from pipe.notify.background import LIMITS, DeliveryFailed
from pipe.report import RunRecord
from pipe.secret import cut
from pipe.settings import Action, Proxies, Step
from pipe.toolkit import code_insights

_API = "http://api.bitbucket.org"
"""Plain HTTP: the proxy signs the request and sends it on over TLS."""

_NO_PROXY = "Bitbucket's proxy cannot be reached; it exists only in a step on Bitbucket"
_MAX_TITLE = 450
_MAX_DETAILS = 2000
_MAX_ERROR = 100
_MAX_LINES = 20


class _Requests:
    """Replaces the toolkit's HTTP handler, which retries and exits the process on failure."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def make_session_request(self, method: str, url: str, **options: Any) -> requests.Response:
        """Send one request; raises `DeliveryFailed` unless it succeeds."""
        try:
            reply = self._client.once(
                method,
                urlsplit(url).path.lstrip("/"),
                options.get("json"),
                data=options["data"].encode() if "data" in options else None,
                headers=options.get("headers"),
            )
        except Unreachable as error:
            raise DeliveryFailed(
                error.diagnosis if error.may_have_applied else _NO_PROXY
            ) from error
        if not reply.ok:
            raise DeliveryFailed(f'Bitbucket returned {reply.status}: "{excerpt(reply)}"')
        response = requests.Response()
        response.status_code = reply.status
        response.raw = io.BytesIO(reply.body)
        return response


def publish(record: RunRecord, step: Step, proxy: str, adapter: BaseAdapter | None = None) -> None:
    """Put the report, and an annotation per failure, on the commit; raises `DeliveryFailed`.

    `record` has been masked, `step` has not: a repository's name may look like a secret.
    `adapter` replaces the network in tests.
    """
    insights = code_insights(step.repository, step.workspace)
    with open_session(_API, Proxies(http=proxy), "", adapter) as session:
        client = HttpClient(_API, session, SystemClock(), setting="CODE_INSIGHTS", limits=LIMITS)
        insights.http_client = _Requests(client)
        body = report(record)
        try:
            insights.create_report(step.commit, body)
            if annotations := failures(record):
                insights.create_bulk_annotations(step.commit, body["external_id"], annotations)
        except ValueError as error:
            reason = cut(" ".join(str(error).split()), _MAX_ERROR)
            raise DeliveryFailed(f"Bitbucket returned an unexpected response: {reason}") from error


def report(record: RunRecord) -> dict[str, Any]:
    """Return the report in the form of Bitbucket's API."""
    names = ", ".join(target.name for target in record.targets)
    milliseconds = round((record.seconds or 0) * 1000)
    fields = [
        {"title": "Tenant", "type": "TEXT", "value": record.tenant},
        {"title": "Result", "type": "TEXT", "value": record.outcome},
        {"title": "Duration", "type": "DURATION", "value": milliseconds},
    ]
    if record.tests:
        passed = sum(test.passed for test in record.tests)
        count = f"{passed} of {len(record.tests)} passed"
        fields.append({"title": "Tests", "type": "TEXT", "value": count})
    return {
        "title": f"{_subject(record)} {names or record.tenant}"[:_MAX_TITLE],
        "details": (record.summary or "-")[:_MAX_DETAILS],
        "external_id": _report_id(record),
        "report_type": "TEST",
        "reporter": "nholuongut deploy pipe",
        "result": "PASSED" if record.exit_code == 0 else "FAILED",
        "data": fields,
        **({"link": record.step.link} if record.step.link else {}),
    }


def failures(record: RunRecord) -> Sequence[Mapping[str, Any]]:
    """Return one annotation for each rollout and each test that failed."""
    return [
        {
            "external_id": f"{_report_id(record)}-{number}",
            "annotation_type": "BUG",
            "summary": summary[:_MAX_TITLE],
            "severity": "HIGH",
            "result": "FAILED",
            **({"details": details[:_MAX_DETAILS]} if details else {}),
        }
        for number, (summary, details) in enumerate(_failures(record), 1)
    ]


def _failures(record: RunRecord) -> Iterator[tuple[str, str]]:
    for target in record.targets:
        if target.passed is False:
            yield f"{target.name}: {target.message}", target.state
    for test in record.tests:
        if not test.passed:
            yield f"{test.name} {test.message}", "\n".join(test.output[-_MAX_LINES:])


def _subject(record: RunRecord) -> str:
    return "Command of" if record.action is Action.RUN else "Deploy of"


def _report_id(record: RunRecord) -> str:
    """Return an id per tenant and targets, so that a run replaces the previous run's report."""
    what = "run" if record.action is Action.RUN else "deploy"
    names = [what, record.tenant, *(target.name for target in record.targets)]
    return re.sub(r"[^A-Za-z0-9_-]", "-", "-".join(names))[:50]
