"""Images in ECR: proven before anything changes."""

from __future__ import annotations

import pytest

from tests.aws.conftest import AwsStage
from tests.sandbox.aws import ACCOUNT, REGION
from tests.sandbox.aws.cloud import scan
from tests.sandbox.service import MAIN_CONTAINER


def test_an_image_is_proven_and_told(aws: AwsStage) -> None:
    """Digest and date, in the log and in deploy.json."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    ending = aws.deploy(f"{name}:1.4.2")
    assert ending.code == 0, ending.text
    assert f"Image {name}:1.4.2: exists, {digest}, pushed 20" in ending.log
    (told,) = ending.report["images"]
    assert (told["digest"], told["findings"]) == (digest, None)
    assert told["pushed"].endswith("+00:00")
    assert ending.report["targets"][0]["digest"] == digest


def test_an_absent_tag_is_refused_with_the_nearest_ones(aws: AwsStage) -> None:
    """Exit 5, nothing changed, two tags named."""
    name = aws.cloud.repository()
    for tag in ("1.4.0", "1.4.1", "nightly", "2.0.0-rc1"):
        aws.cloud.push(tag)
    ending = aws.refused(5, f"{name}:1.4.11")
    assert (
        f'The image {name}:1.4.11 does not exist: the repository team/web has no tag "1.4.11"'
        in (ending.result)
    )
    assert "Did you mean 1.4.1 or 1.4.0?" in ending.result
    assert "correct IMAGE" in ending.log


def test_all_absent_images_are_refused_together(aws: AwsStage) -> None:
    """One run names them all, in the order of the targets."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.2")
    aws.stage.world.add_service("api", "team/api:1")
    image_requests = f"web={name}:1.4.3 api={name}:9"
    ending = aws.refused(5, "", SERVICE="", SERVICES=image_requests)
    told = [f"The image {name}:{tag} does not exist" in ending.result for tag in ("1.4.3", "9")]
    assert told == [True, True]
    assert ending.result.index(":1.4.3") < ending.result.index(":9 ")


def test_an_absent_digest_is_refused(aws: AwsStage) -> None:
    """Exit 5; no tag is near to a digest."""
    name = aws.cloud.repository()
    aws.cloud.push("1")
    ending = aws.refused(5, f"{name}@sha256:{'0' * 64}")
    assert f"has no image sha256:{'0' * 64}" in ending.result
    assert "Did you mean" not in ending.result


def test_an_absent_repository_is_refused(aws: AwsStage) -> None:
    """Exit 5 names account and region."""
    aws.cloud.repository()
    ending = aws.refused(5, f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/wep:1")
    assert f"there is no repository team/wep in account {ACCOUNT}, {REGION}" in ending.result


def test_a_registry_of_another_account_is_said(aws: AwsStage) -> None:
    """Whose it is, whose the role is, and what that takes."""
    ending = aws.refused(5, f"210987654321.dkr.ecr.{REGION}.amazonaws.com/team/web:1")
    assert f"belongs to account 210987654321, the role to {ACCOUNT}" in ending.log


def test_the_digest_is_pinned_and_followed(aws: AwsStage) -> None:
    """The service gets repository@sha256:..., and its pods are recognised by it."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    ending = aws.deploy(f"{name}:1.4.2", PIN_DIGEST="true")
    assert ending.code == 0, ending.text
    assert aws.stage.world.service("web").image == f"{name}@{digest}"
    assert "2 pods up" in ending.result
    assert ending.report["targets"][0]["digest"] == digest


def test_a_pinned_image_that_runs_is_left_alone(aws: AwsStage) -> None:
    """The tag was moved to what runs already: nothing to change."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    aws.stage.world.service("web").set_images({MAIN_CONTAINER: f"{name}@{digest}"}, "eve")
    aws.stage.clock.advance(60)
    ending = aws.deploy(f"{name}:1.4.2", PIN_DIGEST="true")
    assert ending.code == 0, ending.text
    assert "Nothing to change" in ending.result


def test_findings_above_the_limit_are_refused(aws: AwsStage) -> None:
    """Exit 5, the gravest first, each by name."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    answer = scan(CVE_2026_1="HIGH", CVE_2026_2="LOW", CVE_2026_3="CRITICAL", CVE_2026_4="MEDIUM")
    aws.cloud.scanned(digest, answer)
    ending = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="MEDIUM")
    assert "2 findings above MAX_SEVERITY: 'MEDIUM'" in ending.result
    assert "CVE-2026-3 (CRITICAL), CVE-2026-1 (HIGH)." in ending.result


@pytest.mark.parametrize("limit", ["medium", "HIGH"])
def test_findings_within_the_limit_are_told(aws: AwsStage, limit: str) -> None:
    """They are counted in the log and named in deploy.json."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    answer = scan(CVE_2026_2="LOW", CVE_2026_4="MEDIUM")
    aws.cloud.scanned(digest, answer)
    ending = aws.deploy(f"{name}:1.4.2", MAX_SEVERITY=limit)
    assert ending.code == 0, ending.text
    assert "findings: 1 MEDIUM, 1 LOW" in ending.log
    found = ending.report["images"][0]["findings"]
    assert {"name": "CVE-2026-2", "severity": "LOW"} in found


def test_no_finding_at_all_may_be_demanded(aws: AwsStage) -> None:
    """NONE refuses what has not even been graded."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    aws.cloud.scanned(digest, scan(CVE_2026_9="UNTRIAGED"))
    ending = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="NONE")
    assert "CVE-2026-9 (UNTRIAGED)" in ending.result


def test_findings_of_the_enhanced_scanner_are_understood(aws: AwsStage) -> None:
    """They are shaped otherwise."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    entry = {
        "title": "CVE-2026-7 - openssl",
        "severity": "CRITICAL",
        "packageVulnerabilityDetails": {"vulnerabilityId": "CVE-2026-7"},
    }
    answer = {
        "imageScanStatus": {"status": "ACTIVE"},
        "imageScanFindings": {"enhancedFindings": [entry]},
    }
    aws.cloud.scanned(digest, answer)
    ending = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="HIGH")
    assert "CVE-2026-7 (CRITICAL)" in ending.result


def test_a_scan_under_way_is_waited_for(aws: AwsStage) -> None:
    """It begins with the push; a minute later it is done."""
    name = aws.cloud.repository()
    aws.cloud.scanned(aws.cloud.push("1.4.2"), scan())
    aws.cloud.scanning("IN_PROGRESS", 2)
    ending = aws.deploy(f"{name}:1.4.2", MAX_SEVERITY="HIGH")
    assert ending.code == 0, ending.text
    assert aws.stage.clock.slept[:2] == [5.0, 5.0]


def test_a_scan_that_never_ends_is_refused(aws: AwsStage) -> None:
    """Three minutes, then exit 5."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.2")
    aws.cloud.scanning("PENDING", 60)
    ending = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="HIGH")
    assert "its scan in ECR is not finished (state PENDING) after 180 s" in ending.result
    assert 180 <= ending.seconds < 200


def test_a_limit_without_any_scan_is_refused(aws: AwsStage) -> None:
    """Nobody knows: exit 5, and how to have images scanned."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.2")
    aws.cloud.fail("DescribeImageScanFindings", "ScanNotFoundException", "no scan")
    ending = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="HIGH")
    assert "ECR has no scan of it" in ending.result
    assert "Turn on scanning on push" in ending.log


def test_a_list_of_images_is_as_sound_as_its_worst_one(aws: AwsStage) -> None:
    """Each platform's scan is asked for, the build's attestation is not."""
    name = aws.cloud.repository()
    platforms = [aws.cloud.push("1.4.2-amd64"), aws.cloud.push("1.4.2-arm64")]
    digest = aws.cloud.push_index("1.4.2", platforms)
    aws.cloud.scanned(platforms[0], scan(CVE_2026_2="LOW"))
    aws.cloud.scanned(platforms[1], scan(CVE_2026_1="CRITICAL"))
    ending = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="HIGH")
    assert "1 finding above" in ending.result
    assert "CVE-2026-1 (CRITICAL)" in ending.result
    assert aws.cloud.door.log.count("DescribeImageScanFindings") == 2
    assert aws.deploy(f"{name}:1.4.2", PIN_DIGEST="true").code == 0
    assert aws.stage.world.service("web").image == f"{name}@{digest}"


def test_auto_says_when_it_may_not_ask(aws: AwsStage) -> None:
    """The role's rights do not reach: said, and deployed all the same."""
    name = aws.cloud.repository()
    aws.cloud.fail("DescribeImages", "AccessDeniedException", "no", times=2)
    ending = aws.deploy(f"{name}:1.4.2")
    assert ending.code == 0, ending.text
    assert "not proven, because AWS does not let arn:aws:iam::" in ending.log
    assert "does not let" in ending.report["images"][0]["not_proven"]


@pytest.mark.parametrize(
    "demand", [{"VERIFY_IMAGE": "true"}, {"PIN_DIGEST": "true"}, {"MAX_SEVERITY": "HIGH"}]
)
def test_a_proof_that_is_demanded_must_be_had(aws: AwsStage, demand: dict[str, str]) -> None:
    """Exit 5, with the rights that the role needs."""
    name = aws.cloud.repository()
    aws.cloud.fail("DescribeImages", "AccessDeniedException", "no")
    ending = aws.refused(5, f"{name}:1.4.2", **demand)
    (variable,) = demand
    assert f"could not be proven, which {variable}: " in ending.result
    assert "Allow it ecr:DescribeImages" in ending.log


def test_without_anybody_known_to_aws_auto_says_so(aws: AwsStage) -> None:
    """No role, no keys: ECR is not asked, and the deploy goes on."""
    ending = aws.stage.deploy(f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/web:1.4.2")
    assert ending.code == 0, ending.text
    assert "only answers somebody known to AWS" in ending.log
    assert aws.cloud.door.log == []


def test_never_asks_nobody(aws: AwsStage) -> None:
    """VERIFY_IMAGE: 'false' leaves ECR alone."""
    ending = aws.deploy(
        f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/web:1", VERIFY_IMAGE="false"
    )
    assert ending.code == 0, ending.text
    assert aws.cloud.door.log == ["AssumeRoleWithWebIdentity"]


def test_the_proof_comes_before_every_change(aws: AwsStage) -> None:
    """A dry run proves as well, so that it tells the truth."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.1")
    ending = aws.deploy(f"{name}:1.4.2", DRY_RUN="true")
    assert ending.code == 5
    assert "Did you mean 1.4.1?" in ending.result
