"""The JUnit report, checked against a schema and read by a parser that many tools use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Failure, JUnitXml, Skipped

from pipe.kind import Kind
from pipe.report.junit import junit
from pipe.rollout import Evidence
from pipe.target import Target
from tests.support.records import WEB, deploy_test_result, run_record, target_record

SCHEMA = xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))
JENKINS = os.environ.get("PIPE_JUNIT_XSD", "")
"""The path of Jenkins' schema, the most common one; no Python package ships it."""
ANY_TEXT = st.text(st.characters(codec=None))
API = Target(Kind.SERVICE, "api")


def test_the_report_is_valid_and_parsers_read_it(tmp_path: Path) -> None:
    """Counts, order, failures with message and output, and unfinished rollouts as skipped."""
    text = junit(
        run_record(
            targets=(
                target_record(passed=False, message="failed", rollback="restored: ready"),
                target_record(target=API, passed=None, message="1 of 2 new pods up"),
            ),
            tests=(deploy_test_result(), deploy_test_result(name="PRE_DEPLOY_TEST")),
            evidence=(Evidence(WEB, "web-1", ("Back-off",), ("boom",)),),
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
    assert failed.message == "failed"
    for line in ("fault: Back-off", "web-1 | boom", "rollback: restored"):
        assert line in failed.text
    (skipped,) = cases["rollout of api"].result
    assert isinstance(skipped, Skipped)


@pytest.mark.parametrize("kind", Kind)
def test_evidence_is_reported_with_its_own_target(kind: Kind) -> None:
    """Targets of different kinds may share a name; each gets its own evidence."""
    targets = [Target(other, "web") for other in Kind]
    text = junit(
        run_record(
            targets=tuple(target_record(target=target) for target in targets),
            evidence=(Evidence(Target(kind, "web"), "web-1", ("Back-off",)),),
        )
    )
    (suite,) = JUnitXml.fromstring(text.encode())
    blamed = [case.name for case in suite if "fault: Back-off" in case.system_out]
    assert blamed == [f"rollout of {Target(kind, 'web')}"]


@pytest.mark.skipif(not JENKINS, reason="PIPE_JUNIT_XSD names no schema")
def test_the_report_is_valid_for_jenkins() -> None:
    """Passed, failed and skipped cases, against the schema that Jenkins uses."""
    results = (
        deploy_test_result(),
        deploy_test_result(name="POST_DEPLOY_URL", passed=False, message="gave up"),
    )
    targets = (target_record(), target_record(target=API, passed=False))
    xmlschema.XMLSchema(JENKINS).validate(junit(run_record(tests=results, targets=targets)))


def test_without_tests_and_rollouts_there_is_no_report() -> None:
    """An empty suite would look like a mistake."""
    assert junit(run_record(targets=(target_record(message=""),))) == ""


@given(ANY_TEXT, ANY_TEXT, st.lists(ANY_TEXT, max_size=5), st.booleans())
def test_the_report_is_valid_for_any_output(
    subject: str, message: str, output: list[str], passed: bool
) -> None:
    """Control characters, lone surrogates, markup: XML 1.0 forbids many, escaped or not."""
    text = junit(
        run_record(
            tenant=message,
            targets=(
                target_record(
                    target=Target(Kind.SERVICE, subject),
                    message=f"x{message}",
                    state=subject,
                    passed=passed,
                ),
            ),
            tests=(
                deploy_test_result(
                    subject=subject, message=message, output=tuple(output), passed=passed
                ),
            ),
        )
    )
    text.encode("utf-8")
    SCHEMA.validate(text)
