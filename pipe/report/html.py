"""The record as one HTML page: no network, no script, any screen size, light and dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipe.deploy_tests.model import DeployTestResult
from pipe.report.markup import Markup, join, tag, text
from pipe.report.record import RunRecord, TargetRecord
from pipe.report.style import STYLE
from pipe.report.timeline import ROLLBACK, ROLLOUT, timeline
from pipe.settings import Action

_HEADLINES = {
    "running": ("…", "busy", "Deploying"),
    "done": ("✔", "good", "Done"),
    "defect": ("✖", "bad", "Defect in the pipe"),
    "configuration": ("✖", "bad", "Invalid variables"),
    "identity": ("✖", "bad", "Identity refused"),
    "platform": ("✖", "bad", "Portal error"),
    "image": ("✖", "bad", "Image refused"),
    "pre-test": ("✖", "bad", "Pre-deploy test failed"),
    "conflict": ("✖", "bad", "Another deployment is running"),
    "restored": ("↶", "warn", "Rolled back"),
    "not-restored": ("✖", "bad", "Rollback failed"),
    "failed": ("✖", "bad", "Failed"),
    "cancelled": ("✖", "warn", "Cancelled"),
}
"""Symbol, class and words for each outcome."""

_BEFORE_CHANGE = {
    "PRE_DEPLOY_TEST": "Pre-deploy test failed",
    "RELEASE_COMMAND": "Release command failed",
    "COMMAND": "Command failed",
}
"""Words for what ends a run before its change, by the name of the test."""
_COMMANDS = ("RELEASE_COMMAND", "COMMAND")
"""Tests that are none: commands inside the tenant."""
_MAX_NAMES = 3
# Nothing may be loaded and nothing may run, whatever a log line manages to smuggle in.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(record: RunRecord) -> str:
    """Return the page for a record that has been masked."""
    symbol, status, headline = _HEADLINES[record.outcome]
    if record.action is Action.RUN and record.outcome == "running":
        headline = "Running a command"
    if record.outcome == "pre-test":
        failed = (test.name for test in record.tests if not test.passed)
        headline = _BEFORE_CHANGE.get(next(failed, ""), headline)
    title = f"{headline}: {_names(record)}" if record.targets else headline
    head = tag(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        Markup('<link rel="icon" href="data:,">'),
        tag("title", title),
        Markup(f"<style>{STYLE}</style>"),
    )
    body = tag(
        "body",
        tag("header", _headline(record, symbol, headline), _details(record), class_=status),
        tag(
            "main",
            _warnings(record),
            *map(_target, record.targets),
            _tests(record),
            *_evidence(record),
        ),
        tag("footer", f"nholuongut deploy pipe {record.pipe_version}"),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _sections(record: RunRecord) -> Iterator[Markup]:
    yield _warnings(record)
    yield from map(_target, record.targets)
    yield _tests(record)
    yield from _evidence(record)


def _headline(record: RunRecord, symbol: str, headline: str) -> Markup:
    code = "" if record.exit_code is None else f"exit code {record.exit_code}"
    return join(
        tag("p", tag("span", symbol, class_="symbol", aria_hidden="true"), tag("span", headline),
            tag("small", code), class_="outcome"),
        tag("h1", _names(record) or record.tenant),
        tag("p", record.summary or "The run has not ended yet.", class_="summary"),
    )  # fmt: skip


def _names(record: RunRecord) -> str:
    names = [target.name for target in record.targets]
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def _details(record: RunRecord) -> Markup:
    step = record.step
    repository = "/".join(part for part in (step.workspace, step.repository) if part)
    details = {
        "Tenant": record.tenant,
        "Environment": step.deployment,
        "Portal": record.portal.partition("://")[2],
        "URL": record.url and _link(record.url, record.url.partition("://")[2]),
        "Started": record.started.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "Duration": _duration(record.seconds),
        "Step": step.link and _link(step.link, f"{repository} #{step.build_number}"),
        "Commit": step.commit[:12],
        "Branch": step.branch,
        "Tag": step.tag,
    }
    entries = (
        tag("div", tag("dt", name), tag("dd", value)) for name, value in details.items() if value
    )
    return tag("dl", *entries)


def _link(address: str, label: str) -> Markup:
    """Return a link for a web address, plain text for any other."""
    if not address.startswith(("https://", "http://")):
        return text(address)
    return tag("a", label, href=address, rel="noreferrer")


def _target(entry: TargetRecord) -> Markup:
    return tag(
        "section",
        tag("h2", entry.name, tag("small", entry.target.kind)),
        tag("div", *_diff(entry), class_="diff"),
        _row("Rollout", entry.message, {True: "good", False: "bad", None: ""}[entry.passed]),
        _row("Rollback", entry.rollback),
        _row("Now", entry.state),
        _row("Seen by", entry.seen_by),
        timeline(
            entry.timeline,
            "Pods during the rollout",
            ROLLOUT,
            entry.events,
            failed=entry.passed is False,
        ),
        timeline(entry.rollback_timeline, "Pods during the rollback", ROLLBACK),
    )


def _diff(entry: TargetRecord) -> Iterator[Markup]:
    if entry.restart or entry.resumed:
        how = "restarted" if entry.restart else "changed by an earlier run"
        for image in entry.after.values():
            yield tag("p", tag("span", "=", class_="sign"), tag("code", image), f" ({how})")
        return
    for container, new in entry.after.items():
        old = entry.before.get(container)
        if old == new:
            continue
        label = [tag("small", container, " ")] if container else []
        if old:
            yield tag("p", tag("span", "-", class_="sign"), *label, tag("del", old))
        yield tag("p", tag("span", "+", class_="sign"), *label, tag("ins", new))
    for line in entry.configuration:
        yield tag("p", tag("span", "=", class_="sign"), line)


def _row(label: str, message: str, status: str = "") -> Markup:
    if not message:
        return Markup()
    return tag("p", tag("b", label), tag("span", message), class_=f"message {status}".strip())


def _warnings(record: RunRecord) -> Markup:
    if not record.warnings:
        return Markup()
    return tag("section", tag("h2", "Warnings"), *(tag("p", one) for one in record.warnings))


def _tests(record: RunRecord) -> Markup:
    if not record.tests:
        return Markup()
    commands = any(test.name in _COMMANDS for test in record.tests)
    title = "Commands and tests" if commands else "Tests"
    return tag("section", tag("h2", title), *map(_test, record.tests))


def _test(test: DeployTestResult) -> Markup:
    summary = tag(
        "summary",
        tag("span", "✔" if test.passed else "✖", class_="good" if test.passed else "bad"),
        tag("b", test.name),
        tag("span", test.message),
        tag("small", f"{test.seconds:.1f} s"),
    )
    prompt = "GET" if test.kind == "probe" else "$"
    subject = tag("p", tag("code", f"{prompt} {test.subject}"), class_="subject")
    output = _lines(test.output)
    return tag("details", summary, subject, output, class_="test", open=not test.passed)


def _evidence(record: RunRecord) -> Iterator[Markup]:
    for evidence in record.evidence:
        faults = tag("ul", *(tag("li", fault) for fault in evidence.faults))
        containers = tag("ul", *(tag("li", state) for state in evidence.containers))
        yield tag(
            "section",
            tag("h2", "Evidence", tag("small", evidence.target)),
            tag("p", "Pod ", tag("code", evidence.pod)) if evidence.pod else "",
            containers if evidence.containers else "",
            faults if evidence.faults else "",
            tag("p", "Log of ", evidence.log_of) if evidence.log and evidence.log_of else "",
            _lines(evidence.log),
            "" if evidence.log or evidence.faults else tag("p", "No faults and no log lines."),
        )


def _lines(lines: Sequence[str]) -> Markup:
    return tag("pre", "\n".join(lines), tabindex="0") if lines else Markup()


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
