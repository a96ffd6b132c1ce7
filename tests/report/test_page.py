"""deploy.html, as its text and in a real browser."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe.report.html import page
from pipe.report.timeline import timeline
from tests.report import browser
from tests.report.browser import Browser
from tests.sandbox import Behaviour
from tests.support.stage import Stage

HOSTILE = "</pre><script>document.title='owned'</script><img src=x onerror=document.title='owned'>"
VOID = {"meta", "link"}


class Elements(HTMLParser):
    """Every element of a page, and whether all of them are closed in order."""

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
    """A browser for all tests of this file."""
    program = browser.find()
    if program is None:
        if os.environ.get("PIPE_REQUIRE_BROWSER") == "1":
            pytest.fail("no Chromium is installed", pytrace=False)
        pytest.skip("no Chromium is installed; the page is looked at where there is one")
    with Browser(program) as running:
        yield running


@pytest.fixture
def failed(stage: Stage) -> Path:
    """The page of a run that failed its test and went back; its programs print hostile text."""
    stage.web(replicas=3, lb={"Port": "8080"})
    stage.world.behave("team/web:1.4.2", Behaviour("run", log=[HOSTILE]))
    (stage.folder / "hostile").write_text(HOSTILE)
    stage.deploy(
        POST_DEPLOY_TEST="cat hostile; exit 1",
        ROLLBACK="true",
        BITBUCKET_WORKSPACE="acme",
        BITBUCKET_REPO_SLUG="shop",
        BITBUCKET_BUILD_NUMBER="812",
        BITBUCKET_DEPLOYMENT_ENVIRONMENT="production",
    )
    return stage.report_dir / "deploy.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_in_a_browser(
    chromium: Browser, failed: Path, width: int, scheme: str, tmp_path: Path
) -> None:
    """No request, no script, no error; it fits the window, in the colours people like."""
    chromium.show(failed, width=width, scheme=scheme)
    asked = [
        event["params"]["request"]["url"]
        for event in chromium.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert asked == [failed.as_uri()]
    complaints = {"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"}
    assert not complaints & set(chromium.names())
    assert chromium.value("document.scripts.length + document.images.length") == 0
    assert chromium.value("document.title") == "Failed, and put back: web"
    assert chromium.value("document.documentElement.scrollWidth") <= width
    red, green, blue = _colour(chromium, "body", "backgroundColor")
    assert (red + green + blue > 600) is (scheme == "light")
    for selector in ("body", ".message span", "pre", "dd", ".outcome", "del", "ins", "small"):
        assert _contrast(chromium, selector) >= 4.5, selector
    picture = chromium.photograph()
    (tmp_path / f"{width}-{scheme}.png").write_bytes(picture)
    # A wide window has a scroll bar at its side.
    assert 0 <= width - struct.unpack(">I", picture[16:20])[0] <= 20


def test_the_timeline_in_a_browser(chromium: Browser, failed: Path) -> None:
    """Old pods are grey and go, new ones are green and come, against seconds."""
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


def test_what_programs_print_stays_text(chromium: Browser, failed: Path) -> None:
    """Shown as it was written, and never run."""
    chromium.show(failed, width=800, scheme="light")
    shown = chromium.value("[...document.querySelectorAll('pre')].map(pre => pre.innerText)")
    assert shown == [HOSTILE, HOSTILE]


def test_the_page_tells_everything(failed: Path) -> None:
    """Outcome, diff, timeline, tests, evidence, and the way to the step."""
    text = failed.read_text("utf-8")
    names = Elements(text).names
    assert "script" not in names
    assert names.count("svg") == 2
    for words in (
        "Failed, and put back",
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
        ({"PRE_DEPLOY_TEST": "exit 1"}, "The test before the deploy failed"),
        ({"TENANT": "nobody"}, "The portal cannot be used"),
        ({"IMAGE": "team/web:bad"}, "Failed"),
    ],
)
def test_every_ending_has_its_page(stage: Stage, variables: dict[str, str], words: str) -> None:
    """Well formed, with a headline."""
    stage.web()
    stage.world.behave("team/web:bad", Behaviour("crash", log=["boom"]))
    stage.deploy(**variables)
    text = (stage.report_dir / "deploy.html").read_text("utf-8")
    Elements(text)
    assert words in text


def test_the_page_is_small_after_a_long_rollout(stage: Stage) -> None:
    """Fifteen minutes of looks add up to a few lines, not to megabytes."""
    stage.web()
    stage.world.behave("team/web:slow", Behaviour("never-ready"))
    stage.deploy("team/web:slow")
    assert (stage.report_dir / "deploy.html").stat().st_size < 40_000


@given(st.text(st.characters(codec=None)))
def test_any_text_makes_a_well_formed_page(text: str) -> None:
    """Whatever a name, a message or a line holds."""
    target = {
        "name": text, "kind": text, "before": {text: text}, "after": {text: text + "x"},
        "restart": False, "resumed": False, "message": text, "passed": False, "rollback": text,
        "state": text, "timeline": [], "rollback_timeline": [],
    }  # fmt: skip
    step = dict.fromkeys(
        ("workspace", "repository", "build_number", "commit", "branch", "tag", "deployment"), text
    )
    shown = page(
        {
            "outcome": "failed", "exit_code": 10, "summary": text, "tenant": text, "portal": text,
            "url": text, "started": "2026-02-03T10:00:00+00:00", "pipe_version": "1.0.0",
            "finished": "2026-02-03T10:01:10+00:00", "step": {**step, "link": text},
            "targets": [target],
            "tests": [{"name": text, "kind": text, "subject": text, "passed": False, "message": text,
                       "seconds": 1.0, "output": [text]}],
            "evidence": [{"target": text, "pod": text, "faults": [text], "log": [text]}],
        }
    )  # fmt: skip
    assert set(Elements(shown).names) <= KNOWN
    assert "1 min 10 s" in shown


KNOWN = {
    *("html", "head", "meta", "link", "title", "style", "body", "header", "main", "footer"),
    *("section", "h1", "h2", "p", "span", "small", "b", "dl", "div", "dt", "dd", "a", "code"),
    *("del", "ins", "details", "summary", "pre", "ul", "li"),
}


def test_a_timeline_needs_no_more_than_one_look() -> None:
    """A service that was ready at once has a picture too."""
    drawn = timeline([{"seconds": 0.0, "old": 0, "up": 2, "starting": 0}], "Pods")
    assert 'width="100.100%"' in drawn
    assert timeline([], "Pods") == ""


def _colour(chromium: Browser, selector: str, name: str) -> tuple[float, float, float]:
    told = chromium.value(f"getComputedStyle(document.querySelector('{selector}')).{name}")
    red, green, blue = (float(part) for part in told.strip("rgba()").split(",")[:3])
    return red, green, blue


def _contrast(chromium: Browser, selector: str) -> float:
    """The contrast of an element's text with what is behind it, as accessibility rules count."""
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
