"""The JUnit report, read by others: a schema, and a parser that many tools use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Failure, JUnitXml, Skipped

from pipe.report.junit import junit

SCHEMA = xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))
JENKINS = os.environ.get("PIPE_JUNIT_XSD", "")
"""The schema that most people take for the common one; a package ships it that is not Python's."""
ANY_TEXT = st.text(st.characters(codec=None))


def data(**given: Any) -> dict[str, Any]:
    """A record as plain data, as far as this report looks at it."""
    return {
        "tenant": "dev01",
        "started": "2026-02-03T10:00:00+00:00",
        "targets": [],
        "tests": [],
        "evidence": [],
        **given,
    }


def target(**given: Any) -> dict[str, Any]:
    """One target that came up."""
    return {
        "name": "web",
        "passed": True,
        "message": "ready, 2 pods up for 5 s",
        "seconds": 11.04,
        "state": "asks for team/web:2",
        "rollback": None,
        **given,
    }


def check(**given: Any) -> dict[str, Any]:
    """One test that passed."""
    return {
        "name": "POST_DEPLOY_TEST",
        "kind": "command",
        "subject": "make smoke",
        "passed": True,
        "message": "passed in 1.0 s",
        "seconds": 1.0,
        "output": ["fine"],
        **given,
    }


def test_the_report_is_valid_and_parsers_read_it(tmp_path: Path) -> None:
    """Counts, order, failures with message and output, what did not end as skipped."""
    evidence = [{"target": "web", "pod": "web-1", "faults": ["Back-off"], "log": ["boom"]}]
    text = junit(
        data(
            targets=[
                target(passed=False, message="will not come up", rollback="restored: ready"),
                target(name="api", passed=None, message="1 of 2 new pods up"),
            ],
            tests=[check(), check(name="PRE_DEPLOY_TEST")],
            evidence=evidence,
        )
    )
    path = tmp_path / "report.xml"
    path.write_text(text, "utf-8")
    SCHEMA.validate(path)
    (suite,) = JUnitXml.fromfile(str(path))
    assert (suite.tests, suite.failures, suite.skipped, suite.errors) == (4, 1, 1, 0)
    assert [case.name for case in suite] == [
        "PRE_DEPLOY_TEST",
        "rollout of web",
        "rollout of api",
        "POST_DEPLOY_TEST",
    ]
    cases = {case.name: case for case in suite}
    assert cases["POST_DEPLOY_TEST"].system_out == "$ make smoke\nfine"
    (failed,) = cases["rollout of web"].result
    assert isinstance(failed, Failure)
    assert failed.message == "will not come up"
    for words in ("fault: Back-off", "web-1 | boom", "the way back: restored"):
        assert words in failed.text
    (skipped,) = cases["rollout of api"].result
    assert isinstance(skipped, Skipped)


@pytest.mark.skipif(not JENKINS, reason="PIPE_JUNIT_XSD names no schema")
def test_the_report_is_valid_where_others_say_what_valid_is() -> None:
    """Passed, failed and left out, against the schema that Jenkins goes by."""
    told = [check(), check(name="POST_DEPLOY_URL", passed=False, message="gave up")]
    text = junit(data(tests=told, targets=[target(), target(name="api", passed=False)]))
    xmlschema.XMLSchema(JENKINS).validate(text)


def test_nothing_tested_and_nothing_rolled_out_is_no_report() -> None:
    """An empty suite would only look like a mistake."""
    assert junit(data(targets=[target(message="")])) == ""


@given(ANY_TEXT, ANY_TEXT, st.lists(ANY_TEXT, max_size=5), st.booleans())
def test_whatever_programs_print_the_report_is_valid(
    subject: str, told: str, output: list[str], passed: bool
) -> None:
    """Control characters, halves of characters, markup: XML 1.0 forbids many, escaped or not."""
    text = junit(
        data(
            tenant=told,
            targets=[target(name=subject, message=f"x{told}", state=subject, passed=passed)],
            tests=[check(subject=subject, message=told, output=output, passed=passed)],
        )
    )
    text.encode("utf-8")
    SCHEMA.validate(text)
