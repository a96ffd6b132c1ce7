"""deploy.html, as text and in a real browser."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe.errors import ExitCode
from pipe.kind import Kind
from pipe.report.html import page
from pipe.report.timeline import ROLLOUT, timeline
from pipe.rollout import Evidence, PodCounts, RolloutEvent
from pipe.target import Target
from tests.report import browser
from tests.report.browser import Browser
from tests.sandbox import Behaviour
from tests.support.harness import Harness
from tests.support.records import (
    STARTED,
    deploy_test_result,
    run_record,
    step_record,
    target_record,
)

HOSTILE = "</pre><script>document.title='owned'</script><img src=x onerror=document.title='owned'>"
VOID = {"meta", "link"}


class Elements(HTMLParser):
    """Lists the elements of a page; fails unless all are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert name != "src"
            assert name != "href" or str(value).startswith(("https://", "http://", "data:,"))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of this file."""
    program = browser.find()
    if program is None:
        if os.environ.get("PIPE_REQUIRE_BROWSER") == "1":
            pytest.fail("no Chromium is installed", pytrace=False)
        pytest.skip("no Chromium is installed")
    with Browser(program) as running:
        yield running


@pytest.fixture
def failed(harness: Harness) -> Path:
    """The page of a run that failed its test and rolled back; its programs print hostile text."""
    harness.web(replicas=3, lb={"Port": "8080"})
    harness.world.behave("team/web:1.4.2", Behaviour("run", log=[HOSTILE]))
    (harness.folder / "hostile").write_text(HOSTILE)
    harness.deploy(
        POST_DEPLOY_TEST="cat hostile; exit 1",
        ROLLBACK="true",
        BITBUCKET_WORKSPACE="acme",
        BITBUCKET_REPO_SLUG="shop",
        BITBUCKET_BUILD_NUMBER="812",
        BITBUCKET_DEPLOYMENT_ENVIRONMENT="production",
    )
    return harness.report_dir / "deploy.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_displays_without_requests_scripts_or_errors(
    chromium: Browser, failed: Path, width: int, scheme: str, tmp_path: Path
) -> None:
    """It fits the window, in the preferred colour scheme, with enough contrast."""
    chromium.show(failed, width=width, scheme=scheme)
    requests = [
        event["params"]["request"]["url"]
        for event in chromium.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert requests == [failed.as_uri()]
    problems = {"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"}
    assert not problems & set(chromium.names())
    assert chromium.value("document.scripts.length + document.images.length") == 0
    assert chromium.value("document.title") == "Rolled back: web"
    assert chromium.value("document.documentElement.scrollWidth") <= width
    red, green, blue = _colour(chromium, "body", "backgroundColor")
    assert (red + green + blue > 600) is (scheme == "light")
    for selector in ("body", ".message span", "pre", "dd", ".outcome", "del", "ins", "small"):
        assert _contrast(chromium, selector) >= 4.5, selector
    picture = chromium.photograph()
    (tmp_path / f"{width}-{scheme}.png").write_bytes(picture)
    # A wide window has a scroll bar.
    assert 0 <= width - struct.unpack(">I", picture[16:20])[0] <= 20


def test_the_timeline_shows_old_pods_giving_way_to_new_ones(
    chromium: Browser, failed: Path
) -> None:
    """Bars of different colours over an axis of seconds."""
    chromium.show(failed, width=800, scheme="light")
    bars = chromium.value(
        "[...document.querySelector('figure svg').querySelectorAll('rect')].map(bar => {"
        " const b = bar.getBoundingClientRect(), s = bar.parentNode.getBoundingClientRect();"
        " return [bar.getAttribute('class'), (b.left - s.left) / s.width, b.width / s.width,"
        " b.height / s.height, getComputedStyle(bar).fill] })"
    )
    old = [bar for bar in bars if bar[0] == "old"]
    up = [bar for bar in bars if bar[0] == "up"]
    assert [round(bar[3] * 4) for bar in old] == [3, 2, 1]
    assert [round(bar[3] * 4) for bar in up] == [1, 2, 3]
    assert max(bar[1] + bar[2] for bar in old) < 0.7
    assert 0.99 < max(bar[1] + bar[2] for bar in up) < 1.01
    assert len({bar[4] for bar in bars}) == 3
    ticks = chromium.value("document.querySelector('.ticks').innerText.split(/\\n/)")
    assert ticks[:3] == ["0 s", "2 s", "4 s"]
    assert chromium.value("document.querySelectorAll('figure').length") == 2


def test_hostile_output_is_displayed_as_text(chromium: Browser, failed: Path) -> None:
    """Exactly as printed, and never executed."""
    chromium.show(failed, width=800, scheme="light")
    texts = chromium.value("[...document.querySelectorAll('pre')].map(pre => pre.innerText)")
    assert texts == [HOSTILE, HOSTILE]


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1200, "light")])
def test_what_kubernetes_reported_is_displayed_as_text(
    chromium: Browser, harness: Harness, width: int, scheme: str
) -> None:
    """On a phone and on a desk, legible, whatever an event says; marks stand at their moments."""
    harness.world.kubernetes.enabled = True
    harness.web()
    harness.world.behave("team/web:1.4.2", Behaviour("never-ready", fault=HOSTILE, log=[HOSTILE]))
    harness.deploy(WAIT_TIMEOUT="20")
    chromium.show(harness.report_dir / "deploy.html", width=width, scheme=scheme)
    assert chromium.value("document.title") == "Failed: web"
    assert chromium.value("document.documentElement.scrollWidth") <= width
    assert chromium.value("document.querySelector('.events .alarm p').innerText") == HOSTILE
    for selector in (".events b", ".events .alarm b", ".events .moment", ".events small"):
        assert _contrast(chromium, selector) >= 4.5, selector
    marked = chromium.value("[...document.querySelectorAll('.marks i')].map(i => i.className)")
    assert "alarm" in marked
    layers = (
        "[...new Set([...document.querySelectorAll('rect')].map(b => b.getAttribute('class')))]"
    )
    assert sorted(chromium.value(layers)) == ["old", "starting", "unready"]


def test_the_page_covers_the_whole_run(failed: Path) -> None:
    """Outcome, diff, timeline, tests, evidence, and a link to the step."""
    text = failed.read_text("utf-8")
    names = Elements(text).names
    assert "script" not in names
    assert names.count("svg") == 2
    for words in (
        "Rolled back",
        "exit code 8",
        "<del>team/web:1.4.1</del>",
        "<ins>team/web:1.4.2</ins>",
        "POST_DEPLOY_TEST",
        "failed with exit status 1",
        "Evidence",
        'href="https://bitbucket.org/acme/shop/pipelines/results/812"',
        'href="https://web-dev01.apps.example.com"',
        "production",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "Done"),
        ({"DRY_RUN": "true"}, "Done"),
        ({"IMAGE": "team/web:1.4.1"}, "Done"),
        ({"IMAGE": "team/web:1.4.1", "RESTART": "true"}, "restarted"),
        ({"PRE_DEPLOY_TEST": "exit 1"}, "Pre-deploy test failed"),
        ({"TENANT": "missing"}, "Portal error"),
        ({"IMAGE": "team/web:bad"}, "Failed"),
    ],
)
def test_every_outcome_has_its_page(
    harness: Harness, variables: dict[str, str], words: str
) -> None:
    """Well formed, with a headline."""
    harness.web()
    harness.world.behave("team/web:bad", Behaviour("crash", log=["boom"]))
    harness.deploy(**variables)
    text = (harness.report_dir / "deploy.html").read_text("utf-8")
    Elements(text)
    assert words in text


def test_the_page_is_small_after_a_long_rollout(harness: Harness) -> None:
    """Fifteen minutes of samples add up to kilobytes, not megabytes."""
    harness.web()
    harness.world.behave("team/web:slow", Behaviour("never-ready"))
    harness.deploy("team/web:slow")
    assert (harness.report_dir / "deploy.html").stat().st_size < 40_000


@given(st.text(st.characters(codec=None)))
def test_any_text_makes_a_well_formed_page(text: str) -> None:
    """Names, messages and log lines may hold anything."""
    target = Target(Kind.SERVICE, text)
    html = page(
        run_record(
            outcome="failed",
            exit_code=10,
            summary=text,
            tenant=text,
            portal=text,
            url=text,
            finished=STARTED + timedelta(seconds=70),
            step=step_record(text),
            targets=(
                target_record(
                    target=target,
                    before={text: text},
                    after={text: text + "x"},
                    message=text,
                    passed=False,
                    rollback=text,
                    state=text,
                    timeline=(PodCounts(0.0, 1, 0, 1, 0), PodCounts(9.0, 0, 1, 0, 1)),
                    events=(RolloutEvent(2.0, text, text, text), RolloutEvent(3.0, "", "", "")),
                ),
            ),
            tests=(
                deploy_test_result(
                    name=text, subject=text, passed=False, message=text, output=(text,)
                ),
            ),
            evidence=(Evidence(target, text, (text,), (text,), (text,), text),),
        )
    )
    assert set(Elements(html).names) <= KNOWN
    assert "1 min 10 s" in html


KNOWN = {
    *("html", "head", "meta", "link", "title", "style", "body", "header", "main", "footer"),
    *("section", "h1", "h2", "p", "span", "small", "b", "dl", "div", "dt", "dd", "a", "code"),
    *("del", "ins", "details", "summary", "pre", "ul", "li", "figure", "figcaption", "i"),
    *("svg", "rect", "line", "table", "thead", "tbody", "tr", "th", "td"),
}


def test_one_sample_is_enough_for_a_timeline() -> None:
    """A service that was ready at once has a chart too."""
    chart = timeline([PodCounts(0.0, old=0, up=2, starting=0)], "Pods", ROLLOUT)
    assert 'width="100.100%"' in chart
    assert timeline([], "Pods", ROLLOUT) == ""


def test_ready_pods_are_shown_apart_from_those_that_only_run() -> None:
    """Where Kubernetes was asked: a pod that fails its probe must not look like one that serves."""
    looks = [PodCounts(0.0, 2, 0, 1, 0), PodCounts(4.0, 2, 1, 0, 0), PodCounts(8.0, 1, 2, 0, 1)]
    chart = timeline(looks, "Pods", ROLLOUT)
    assert "from 4 s new, ready: 0; new, up: 1; new, starting: 0; previous version: 2." in chart
    assert "from 8 s new, ready: 1; new, up: 1; new, starting: 0; previous version: 1" in chart
    assert 'class="ready"' in chart
    assert 'class="unready"' in chart


def test_nothing_is_called_ready_where_readiness_is_not_shown() -> None:
    """The portal shows that a pod runs, and no more."""
    chart = timeline([PodCounts(0.0, old=1, up=2, starting=0)], "Pods", ROLLOUT)
    assert "ready" not in chart
    assert 'class="up"' in chart


def test_events_are_marked_and_listed_at_their_moments() -> None:
    """On the scale of the chart, warnings in another colour, events of before the change not."""
    events = [
        RolloutEvent(5.0, "Pod/web-2", "Unhealthy", "Readiness probe failed: 503", count=22),
        RolloutEvent(1.0, "Pod/web-2", "Pulled", "Container image is present", warning=False),
        RolloutEvent(-3.0, "Pod/web-1", "Killing", "Stopping container web"),
    ]
    looks = [PodCounts(0.0, 1, 0, 1, 0), PodCounts(10.0, 1, 1, 0, 0)]
    chart = timeline(looks, "Pods", ROLLOUT, events)
    marks = ['<i class="note" style="left:10%">', '<i class="alarm" style="left:49%">']
    assert [mark in chart for mark in marks] == [True, True]
    assert chart.index("1 s</span>") < chart.index("5 s</span>")
    assert "<b>Unhealthy</b> 22 times<small> Pod/web-2</small>" in chart
    assert "Killing" not in chart


@pytest.mark.parametrize(("failed", "start"), [(True, '<details open="">'), (False, "<details>")])
def test_events_are_unfolded_only_where_a_rollout_failed(failed: bool, start: str) -> None:
    """Warnings belong to good rollouts too, and would hide what matters there."""
    events = [RolloutEvent(1.0, "Pod/web-1", "Unhealthy", "Readiness probe errored")]
    chart = timeline([PodCounts(9.0, 0, 1, 0, 1)], "Pods", ROLLOUT, events, failed=failed)
    assert f"{start}<summary>Events of Kubernetes: 1, of them warnings: 1" in chart


def test_thousands_of_events_leave_the_page_small() -> None:
    """The earliest warnings are shown, cut to a length; the page says how many are not."""
    noise = [RolloutEvent(1.0, "Pod/web", f"Pulled{n}", "", warning=False) for n in range(4000)]
    alarms = [RolloutEvent(2.0 + n, "Pod/web", f"Alarm{n}", "x" * 9000) for n in range(40)]
    chart = timeline([PodCounts(100.0, 1, 0, 1, 0)], "Pods", ROLLOUT, [*noise, *alarms])
    assert len(chart) < 20_000
    assert "Alarm0<" in chart
    assert "Pulled" not in chart
    assert "and 4010 more" in chart


@pytest.mark.parametrize("code", ExitCode)
def test_every_exit_code_has_a_headline(code: ExitCode) -> None:
    """A missing one would cost the run all its reports."""
    assert "<h1>dev01</h1>" in page(run_record(outcome=code.outcome, exit_code=int(code)))


def _colour(chromium: Browser, selector: str, name: str) -> tuple[float, float, float]:
    value = chromium.value(f"getComputedStyle(document.querySelector('{selector}')).{name}")
    red, green, blue = (float(part) for part in value.strip("rgba()").split(",")[:3])
    return red, green, blue


def _contrast(chromium: Browser, selector: str) -> float:
    """Return the contrast ratio of text and background, as WCAG defines it."""
    behind = chromium.value(
        f"(e => {{ while (getComputedStyle(e).backgroundColor === 'rgba(0, 0, 0, 0)')"
        f" e = e.parentElement; return getComputedStyle(e).backgroundColor }})"
        f"(document.querySelector('{selector}'))"
    )
    back = tuple(float(part) for part in behind.strip("rgba()").split(",")[:3])
    lights = sorted(map(_luminance, (_colour(chromium, selector, "color"), back)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _luminance(colour: tuple[float, ...]) -> float:
    parts = [part / 255 for part in colour]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
