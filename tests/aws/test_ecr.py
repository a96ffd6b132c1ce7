"""Images in ECR, verified before anything changes."""

from __future__ import annotations

import pytest

from tests.aws.conftest import AwsStage
from tests.sandbox.aws import ACCOUNT, REGION
from tests.sandbox.aws.cloud import scan
from tests.sandbox.service import MAIN_CONTAINER


def test_an_image_is_verified_and_recorded(aws: AwsStage) -> None:
    """Digest and date are in the log and in deploy.json."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    ending = aws.deploy(f"{name}:1.4.2")
    assert ending.code == 0, ending.text
    assert f"Image {name}:1.4.2: exists, {digest}, pushed 20" in ending.log
    (image,) = ending.report["images"]
    assert (image["digest"], image["findings"]) == (digest, None)
    assert image["pushed"].endswith("+00:00")
    assert ending.report["targets"][0]["digest"] == digest


def test_a_missing_tag_is_refused_with_similar_ones(aws: AwsStage) -> None:
    """Exit 5, nothing changed, two tags suggested."""
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


def test_all_missing_images_are_refused_together(aws: AwsStage) -> None:
    """One run names them all, in the order of the targets."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.2")
    aws.stage.world.add_service("api", "team/api:1")
    image_requests = f"web={name}:1.4.3 api={name}:9"
    ending = aws.refused(5, "", SERVICE="", SERVICES=image_requests)
    named = [f"The image {name}:{tag} does not exist" in ending.result for tag in ("1.4.3", "9")]
    assert named == [True, True]
    assert ending.result.index(":1.4.3") < ending.result.index(":9 ")


def test_a_missing_digest_is_refused(aws: AwsStage) -> None:
    """Exit 5; no tag is similar to a digest."""
    name = aws.cloud.repository()
    aws.cloud.push("1")
    ending = aws.refused(5, f"{name}@sha256:{'0' * 64}")
    assert f"has no image sha256:{'0' * 64}" in ending.result
    assert "Did you mean" not in ending.result


def test_a_missing_repository_is_refused(aws: AwsStage) -> None:
    """Exit 5 names account and region."""
    aws.cloud.repository()
    ending = aws.refused(5, f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/wep:1")
    assert f"there is no repository team/wep in account {ACCOUNT}, {REGION}" in ending.result


def test_a_registry_of_another_account_is_reported(aws: AwsStage) -> None:
    """Both accounts are named, and the policy that access needs."""
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


def test_a_pinned_image_that_runs_already_is_not_deployed(aws: AwsStage) -> None:
    """The tag points at the digest that runs: nothing to change."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    aws.stage.world.service("web").set_images({MAIN_CONTAINER: f"{name}@{digest}"}, "eve")
    aws.stage.clock.advance(60)
    ending = aws.deploy(f"{name}:1.4.2", PIN_DIGEST="true")
    assert ending.code == 0, ending.text
    assert "Nothing to change" in ending.result


def test_findings_above_the_limit_are_refused(aws: AwsStage) -> None:
    """Exit 5 lists them by name, the most severe first."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    findings = scan(CVE_2026_1="HIGH", CVE_2026_2="LOW", CVE_2026_3="CRITICAL", CVE_2026_4="MEDIUM")
    aws.cloud.scanned(digest, findings)
    ending = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="MEDIUM")
    assert "2 findings above MAX_SEVERITY: 'MEDIUM'" in ending.result
    assert "CVE-2026-3 (CRITICAL), CVE-2026-1 (HIGH)." in ending.result


@pytest.mark.parametrize("limit", ["medium", "HIGH"])
def test_findings_within_the_limit_are_reported(aws: AwsStage, limit: str) -> None:
    """They are counted in the log and listed in deploy.json."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    findings = scan(CVE_2026_2="LOW", CVE_2026_4="MEDIUM")
    aws.cloud.scanned(digest, findings)
    ending = aws.deploy(f"{name}:1.4.2", MAX_SEVERITY=limit)
    assert ending.code == 0, ending.text
    assert "findings: 1 MEDIUM, 1 LOW" in ending.log
    recorded = ending.report["images"][0]["findings"]
    assert {"name": "CVE-2026-2", "severity": "LOW"} in recorded


def test_max_severity_none_refuses_every_finding(aws: AwsStage) -> None:
    """Even one without a grade."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    aws.cloud.scanned(digest, scan(CVE_2026_9="UNTRIAGED"))
    ending = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="NONE")
    assert "CVE-2026-9 (UNTRIAGED)" in ending.result


def test_findings_of_the_enhanced_scanner_are_read(aws: AwsStage) -> None:
    """Their structure differs from that of the basic scanner."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    entry = {
        "title": "CVE-2026-7 - openssl",
        "severity": "CRITICAL",
        "packageVulnerabilityDetails": {"vulnerabilityId": "CVE-2026-7"},
    }
    findings = {
        "imageScanStatus": {"status": "ACTIVE"},
        "imageScanFindings": {"enhancedFindings": [entry]},
    }
    aws.cloud.scanned(digest, findings)
    ending = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="HIGH")
    assert "CVE-2026-7 (CRITICAL)" in ending.result


def test_a_running_scan_is_waited_for(aws: AwsStage) -> None:
    """It begins with the push and takes a minute."""
    name = aws.cloud.repository()
    aws.cloud.scanned(aws.cloud.push("1.4.2"), scan())
    aws.cloud.scanning("IN_PROGRESS", 2)
    ending = aws.deploy(f"{name}:1.4.2", MAX_SEVERITY="HIGH")
    assert ending.code == 0, ending.text
    assert aws.stage.clock.slept[:2] == [5.0, 5.0]


def test_a_scan_that_never_ends_is_refused(aws: AwsStage) -> None:
    """Exit 5 after three minutes."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.2")
    aws.cloud.scanning("PENDING", 60)
    ending = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="HIGH")
    assert (
        "its scan in ECR is not complete (status PENDING, waited for up to 180 s)" in ending.result
    )
    assert 180 <= ending.seconds < 200


def test_a_limit_without_a_scan_is_refused(aws: AwsStage) -> None:
    """Exit 5 names the setting that scans images."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.2")
    aws.cloud.fail("DescribeImageScanFindings", "ScanNotFoundException", "no scan")
    ending = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="HIGH")
    assert "ECR has no scan of it" in ending.result
    assert "Turn on scanning on push" in ending.log


def test_findings_of_every_platform_count(aws: AwsStage) -> None:
    """Each platform's scan is read, not the build attestation's."""
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


def test_auto_deploys_unverified_without_access_to_ecr(aws: AwsStage) -> None:
    """The missing rights are logged."""
    name = aws.cloud.repository()
    aws.cloud.fail("DescribeImages", "AccessDeniedException", "no", times=2)
    ending = aws.deploy(f"{name}:1.4.2")
    assert ending.code == 0, ending.text
    assert "not verified, because AWS does not allow arn:aws:iam::" in ending.log
    assert "does not allow" in ending.report["images"][0]["not_verified"]


@pytest.mark.parametrize(
    "variables", [{"VERIFY_IMAGE": "true"}, {"PIN_DIGEST": "true"}, {"MAX_SEVERITY": "HIGH"}]
)
def test_a_required_verification_must_succeed(aws: AwsStage, variables: dict[str, str]) -> None:
    """Exit 5 names the rights that the role needs."""
    repository = aws.cloud.repository()
    aws.cloud.fail("DescribeImages", "AccessDeniedException", "no")
    ending = aws.refused(5, f"{repository}:1.4.2", **variables)
    (name,) = variables
    assert f"could not be verified, which {name}: " in ending.result
    assert "Allow it ecr:DescribeImages" in ending.log


def test_auto_deploys_unverified_without_an_aws_identity(aws: AwsStage) -> None:
    """ECR gets no request, and the reason is logged."""
    ending = aws.stage.deploy(f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/web:1.4.2")
    assert ending.code == 0, ending.text
    assert "requires an AWS identity" in ending.log
    assert aws.cloud.door.log == []


def test_verify_image_false_sends_no_request_to_ecr(aws: AwsStage) -> None:
    """Only the role is assumed."""
    ending = aws.deploy(
        f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/web:1", VERIFY_IMAGE="false"
    )
    assert ending.code == 0, ending.text
    assert aws.cloud.door.log == ["AssumeRoleWithWebIdentity"]


def test_a_dry_run_verifies_the_image(aws: AwsStage) -> None:
    """A missing image ends it with exit 5."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.1")
    ending = aws.deploy(f"{name}:1.4.2", DRY_RUN="true")
    assert ending.code == 5
    assert "Did you mean 1.4.1?" in ending.result
