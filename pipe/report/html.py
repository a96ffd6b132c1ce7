"""The record as one page for people: no network, no script, on any screen, day and night."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pipe.report.markup import Markup, join, tag, text
from pipe.report.style import STYLE
from pipe.report.timeline import BACK, timeline

Data = Mapping[str, Any]

_HEADLINES = {
    "running": ("…", "busy", "Deploying"),
    "done": ("✔", "good", "Done"),
    "defect": ("✖", "bad", "A defect of the pipe"),
    "configuration": ("✖", "bad", "The variables are wrong"),
    "identity": ("✖", "bad", "Not let in"),
    "platform": ("✖", "bad", "The portal cannot be used"),
    "image": ("✖", "bad", "Image refused"),
    "pre-test": ("✖", "bad", "The test before the deploy failed"),
    "conflict": ("✖", "bad", "Somebody else is deploying"),
    "restored": ("↶", "warn", "Failed, and put back"),
    "not-restored": ("✖", "bad", "Failed, and not put back"),
    "failed": ("✖", "bad", "Failed"),
    "cancelled": ("✖", "warn", "Cancelled"),
}
# Nothing may be loaded and nothing may run, whatever a log line manages to smuggle in.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(data: Data) -> str:
    """The page, from the record as plain data whose secrets have been masked."""
    mark, mood, words = _HEADLINES.get(data["outcome"], ("✖", "bad", data["outcome"]))
    title = f"{words}: {_names(data)}" if data["targets"] else words
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
    parts = (*_targets(data), *_tests(data), *_evidence(data))
    body = tag(
        "body",
        tag("header", _headline(data, mark, words), _facts(data), class_=mood),
        tag("main", *parts),
        tag("footer", f"nholuongut deploy pipe {data['pipe_version']}"),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _headline(data: Data, mark: str, words: str) -> Markup:
    code = "" if data["exit_code"] is None else f"exit code {data['exit_code']}"
    return join(
        tag("p", tag("span", mark, class_="mark", aria_hidden="true"), tag("span", words),
            tag("small", code), class_="outcome"),
        tag("h1", _names(data) or data["tenant"]),
        tag("p", data["summary"] or "The run has not ended yet.", class_="summary"),
    )  # fmt: skip


def _names(data: Data) -> str:
    names = [target["name"] for target in data["targets"]]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _facts(data: Data) -> Markup:
    step = data["step"]
    where = "/".join(part for part in (step["workspace"], step["repository"]) if part)
    facts = {
        "Tenant": data["tenant"],
        "Environment": step["deployment"],
        "Portal": str(data["portal"]).partition("://")[2],
        "Address": data["url"] and _link(data["url"], data["url"].partition("://")[2]),
        "Began": _moment(data["started"]),
        "Took": _duration(data["started"], data["finished"]),
        "Step": step["link"] and _link(step["link"], f"{where} #{step['build_number']}"),
        "Commit": step["commit"][:12],
        "Branch": step["branch"],
        "Tag": step["tag"],
    }
    shown = [
        tag("div", tag("dt", name), tag("dd", value)) for name, value in facts.items() if value
    ]
    return tag("dl", *shown)


def _link(address: str, words: str) -> Markup:
    """A link where it is one to the web; anything else is only shown."""
    if not address.startswith(("https://", "http://")):
        return text(address)
    return tag("a", words, href=address, rel="noreferrer")


def _targets(data: Data) -> Iterator[Markup]:
    for target in data["targets"]:
        yield tag(
            "section",
            tag("h2", target["name"], tag("small", target["kind"])),
            tag("div", *_diff(target), class_="diff"),
            _told("Rollout", target["message"], target["passed"]),
            _told("Way back", target["rollback"], None),
            _told("Now", target["state"], None),
            timeline(target["timeline"], "Pods during the rollout"),
            timeline(target["rollback_timeline"], "Pods on the way back", BACK),
        )


def _diff(target: Data) -> Iterator[Markup]:
    if target["restart"] or target["resumed"]:
        how = "restarted" if target["restart"] else "changed by an earlier run"
        for image in target["after"].values():
            yield tag("p", tag("span", "=", class_="sign"), tag("code", image), f" ({how})")
        return
    for name, new in target["after"].items():
        old = target["before"].get(name)
        if old == new:
            continue
        label = [tag("small", name, " ")] if name else []
        if old:
            yield tag("p", tag("span", "-", class_="sign"), *label, tag("del", old))
        yield tag("p", tag("span", "+", class_="sign"), *label, tag("ins", new))


def _told(what: str, how: str, passed: bool | None) -> Markup:
    if not how:
        return Markup()
    mood = {True: "good", False: "bad", None: ""}[passed]
    return tag("p", tag("b", what), tag("span", how), class_=f"message {mood}".strip())


def _tests(data: Data) -> Iterator[Markup]:
    if data["tests"]:
        yield tag("section", tag("h2", "Tests"), *map(_test, data["tests"]))


def _test(test: Data) -> Markup:
    good = test["passed"]
    summary = tag(
        "summary",
        tag("span", "✔" if good else "✖", class_="good" if good else "bad"),
        tag("b", test["name"]),
        tag("span", test["message"]),
        tag("small", f"{test['seconds']:.1f} s"),
    )
    sign = "GET" if test["kind"] == "probe" else "$"
    subject = tag("p", tag("code", f"{sign} {test['subject']}"), class_="subject")
    return tag("details", summary, subject, _lines(test["output"]), class_="test", open=not good)


def _evidence(data: Data) -> Iterator[Markup]:
    for found in data["evidence"]:
        faults = tag("ul", *(tag("li", fault) for fault in found["faults"]))
        yield tag(
            "section",
            tag("h2", "Evidence", tag("small", found["target"])),
            tag("p", "Pod ", tag("code", found["pod"])) if found["pod"] else "",
            faults if found["faults"] else "",
            _lines(found["log"]),
            "" if found["log"] or found["faults"] else tag("p", "No fault, and no log to show."),
        )


def _lines(lines: Sequence[str]) -> Markup:
    if not lines:
        return Markup()
    return tag("pre", "\n".join(lines), tabindex="0")


def _moment(stamp: str) -> str:
    return datetime.fromisoformat(stamp).strftime("%Y-%m-%d %H:%M:%S UTC")


def _duration(started: str, finished: str | None) -> str:
    if not finished:
        return ""
    took = (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()
    minutes, seconds = divmod(round(took), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
