"""Images in ECR, verified before anything changes."""

from __future__ import annotations

import json

import pytest

from tests.aws.conftest import AwsHarness
from tests.sandbox import Server
from tests.sandbox.aws import ACCOUNT, REGION
from tests.sandbox.aws.cloud import scan
from tests.sandbox.service import MAIN_CONTAINER
from tests.support.environment import environment
from tests.support.http_server import Answer, HttpServer

REQUESTED = f"sha256:{'a' * 64}"
OTHER = f"sha256:{'b' * 64}"


def test_an_image_is_verified_and_recorded(aws: AwsHarness) -> None:
    """Digest and date are in the log and in deploy.json."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    result = aws.deploy(f"{name}:1.4.2")
    assert result.code == 0, result.text
    assert f"Image {name}:1.4.2: exists, {digest}, pushed 20" in result.log
    (image,) = result.report["images"]
    assert (image["digest"], image["findings"]) == (digest, None)
    assert image["pushed"].endswith("+00:00")
    assert result.report["targets"][0]["digest"] == digest


def test_a_missing_tag_is_refused_with_similar_ones(aws: AwsHarness) -> None:
    """Exit 5, nothing changed, two tags suggested."""
    name = aws.cloud.repository()
    for tag in ("1.4.0", "1.4.1", "nightly", "2.0.0-rc1"):
        aws.cloud.push(tag)
    result = aws.refused(5, f"{name}:1.4.11")
    assert (
        f'The image {name}:1.4.11 does not exist: the repository team/web has no tag "1.4.11"'
        in (result.stdout)
    )
    assert "Did you mean 1.4.1 or 1.4.0?" in result.stdout
    assert "correct IMAGE" in result.log


def test_all_missing_images_are_refused_together(aws: AwsHarness) -> None:
    """One run names them all, in the order of the targets."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.2")
    aws.harness.world.add_service("api", "team/api:1")
    image_requests = f"web={name}:1.4.3 api={name}:9"
    result = aws.refused(5, "", SERVICE="", SERVICES=image_requests)
    named = [f"The image {name}:{tag} does not exist" in result.stdout for tag in ("1.4.3", "9")]
    assert named == [True, True]
    assert result.stdout.index(":1.4.3") < result.stdout.index(":9 ")


def test_a_missing_digest_is_refused(aws: AwsHarness) -> None:
    """Exit 5; no tag is similar to a digest."""
    name = aws.cloud.repository()
    aws.cloud.push("1")
    result = aws.refused(5, f"{name}@sha256:{'0' * 64}")
    assert f"has no image sha256:{'0' * 64}" in result.stdout
    assert "Did you mean" not in result.stdout


def test_a_missing_repository_is_refused(aws: AwsHarness) -> None:
    """Exit 5 names account and region."""
    aws.cloud.repository()
    result = aws.refused(5, f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/wep:1")
    assert f"there is no repository team/wep in account {ACCOUNT}, {REGION}" in result.stdout


def test_a_registry_of_another_account_is_reported(aws: AwsHarness) -> None:
    """Both accounts are named, and the policy that access needs."""
    result = aws.refused(5, f"210987654321.dkr.ecr.{REGION}.amazonaws.com/team/web:1")
    assert f"belongs to account 210987654321, the role to {ACCOUNT}" in result.log


def test_the_digest_is_pinned_and_followed(aws: AwsHarness) -> None:
    """The service gets repository@sha256:..., and its pods are recognised by it."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    result = aws.deploy(f"{name}:1.4.2", PIN_DIGEST="true")
    assert result.code == 0, result.text
    assert aws.harness.world.service("web").image == f"{name}@{digest}"
    assert "2 pods up" in result.stdout
    assert result.report["targets"][0]["digest"] == digest


def test_a_pinned_image_that_runs_already_is_not_deployed(aws: AwsHarness) -> None:
    """The tag points at the digest that runs: nothing to change."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    aws.harness.world.service("web").set_images({MAIN_CONTAINER: f"{name}@{digest}"}, "eve")
    aws.harness.clock.advance(60)
    result = aws.deploy(f"{name}:1.4.2", PIN_DIGEST="true")
    assert result.code == 0, result.text
    assert "Nothing to change" in result.stdout


def test_findings_above_the_limit_are_refused(aws: AwsHarness) -> None:
    """Exit 5 lists them by name, the most severe first."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    findings = scan(CVE_2026_1="HIGH", CVE_2026_2="LOW", CVE_2026_3="CRITICAL", CVE_2026_4="MEDIUM")
    aws.cloud.scanned(digest, findings)
    result = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="MEDIUM")
    assert "2 findings above MAX_SEVERITY: 'MEDIUM'" in result.stdout
    assert "CVE-2026-3 (CRITICAL), CVE-2026-1 (HIGH)." in result.stdout


@pytest.mark.parametrize("limit", ["medium", "HIGH"])
def test_findings_within_the_limit_are_reported(aws: AwsHarness, limit: str) -> None:
    """They are counted in the log and listed in deploy.json."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    findings = scan(CVE_2026_2="LOW", CVE_2026_4="MEDIUM")
    aws.cloud.scanned(digest, findings)
    result = aws.deploy(f"{name}:1.4.2", MAX_SEVERITY=limit)
    assert result.code == 0, result.text
    assert "findings: 1 MEDIUM, 1 LOW" in result.log
    recorded = result.report["images"][0]["findings"]
    assert {"name": "CVE-2026-2", "severity": "LOW"} in recorded


def test_max_severity_none_refuses_every_finding(aws: AwsHarness) -> None:
    """Even one without a grade."""
    name = aws.cloud.repository()
    digest = aws.cloud.push("1.4.2")
    aws.cloud.scanned(digest, scan(CVE_2026_9="UNTRIAGED"))
    result = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="NONE")
    assert "CVE-2026-9 (UNTRIAGED)" in result.stdout


def test_findings_of_the_enhanced_scanner_are_read(aws: AwsHarness) -> None:
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
    result = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="HIGH")
    assert "CVE-2026-7 (CRITICAL)" in result.stdout


def test_a_running_scan_is_waited_for(aws: AwsHarness) -> None:
    """It begins with the push and takes a minute."""
    name = aws.cloud.repository()
    aws.cloud.scanned(aws.cloud.push("1.4.2"), scan())
    aws.cloud.scanning("IN_PROGRESS", 2)
    result = aws.deploy(f"{name}:1.4.2", MAX_SEVERITY="HIGH")
    assert result.code == 0, result.text
    assert aws.harness.clock.slept[:2] == [5.0, 5.0]


def test_a_scan_that_never_ends_is_refused(aws: AwsHarness) -> None:
    """Exit 5 after three minutes."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.2")
    aws.cloud.scanning("PENDING", 60)
    result = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="HIGH")
    assert (
        "its scan in ECR is not complete (status PENDING, waited for up to 180 s)" in result.stdout
    )
    assert 180 <= result.seconds < 200


def test_a_limit_without_a_scan_is_refused(aws: AwsHarness) -> None:
    """Exit 5 names the setting that scans images."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.2")
    aws.cloud.fail("DescribeImageScanFindings", "ScanNotFoundException", "no scan")
    result = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="HIGH")
    assert "ECR has no scan of it" in result.stdout
    assert "Turn on scanning on push" in result.log


def test_findings_of_every_platform_count(aws: AwsHarness) -> None:
    """Each platform's scan is read, not the build attestation's."""
    name = aws.cloud.repository()
    platforms = [aws.cloud.push("1.4.2-amd64"), aws.cloud.push("1.4.2-arm64")]
    digest = aws.cloud.push_index("1.4.2", platforms)
    aws.cloud.scanned(platforms[0], scan(CVE_2026_2="LOW"))
    aws.cloud.scanned(platforms[1], scan(CVE_2026_1="CRITICAL"))
    result = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="HIGH")
    assert "1 finding above" in result.stdout
    assert "CVE-2026-1 (CRITICAL)" in result.stdout
    assert aws.cloud.door.log.count("DescribeImageScanFindings") == 2
    assert aws.deploy(f"{name}:1.4.2", PIN_DIGEST="true").code == 0
    assert aws.harness.world.service("web").image == f"{name}@{digest}"


def test_findings_that_are_not_read_are_not_within_the_limit(aws: AwsHarness) -> None:
    """Exit 5 where ECR still has pages after the last one that is read."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.2")
    page = {**scan(CVE_2026_2="LOW"), "nextToken": "more"}
    aws.cloud.door.answer("DescribeImageScanFindings", page, 21)
    result = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="HIGH")
    assert "has findings beyond the 20 pages that are read" in result.stdout
    assert aws.cloud.door.log.count("DescribeImageScanFindings") == 20


def test_findings_on_the_last_page_that_is_read_count(aws: AwsHarness) -> None:
    """Twenty pages are complete where the last one has no token."""
    name = aws.cloud.repository()
    aws.cloud.scanned(aws.cloud.push("1.4.2"), scan(CVE_2026_1="CRITICAL"))
    page = {**scan(CVE_2026_2="LOW"), "nextToken": "more"}
    aws.cloud.door.answer("DescribeImageScanFindings", page, 19)
    result = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="HIGH")
    assert "CVE-2026-1 (CRITICAL)" in result.stdout


@pytest.mark.parametrize(
    "manifests",
    [
        [],
        [{"digest": OTHER, "platform": {"os": "unknown"}}],
        [{"digest": 1}],
        [{"digest": "latest"}],
        [{"platform": {}}],
        ["not an entry"],
    ],
)
def test_an_index_without_scannable_images_is_refused(
    aws: AwsHarness, manifests: list[object]
) -> None:
    """No findings would be read, and none is above any limit."""
    name = aws.cloud.repository()
    aws.cloud.push_index("1.4.2", [])
    manifest = json.dumps({"manifests": manifests})
    aws.cloud.door.answer("BatchGetImage", {"images": [{"imageManifest": manifest}]})
    result = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="HIGH")
    assert "ECR did not return the images in its index" in result.stdout


@pytest.mark.parametrize(
    "details",
    [
        {"imageDigest": OTHER, "imagePushedAt": 1e30},
        {"imageDigest": OTHER, "imagePushedAt": -1e11},
        {"imageDigest": OTHER, "imagePushedAt": "yesterday"},
        {"imageDigest": OTHER, "imagePushedAt": [1]},
        {"imageDigest": {"value": OTHER}},
        {"imageDigest": 7},
        "not an entry",
        None,
    ],
)
def test_an_unreadable_answer_about_an_image_cannot_verify_it(
    aws: AwsHarness, details: object
) -> None:
    """A date beyond the calendar, or a value of another type, is not a defect of the pipe."""
    name = aws.cloud.repository()
    aws.cloud.door.answer("DescribeImages", {"imageDetails": [details]})
    result = aws.refused(5, f"{name}:1.4.2", VERIFY_IMAGE="true")
    assert "could not be verified, which VERIFY_IMAGE: 'true' requires" in result.stdout


@pytest.mark.parametrize(
    "found",
    [
        7,
        {"findings": 7},
        {"findings": [7]},
        {"findings": [None]},
        {"findings": [], "imageScanCompletedAt": 1e30},
        {"enhancedFindings": [{"packageVulnerabilityDetails": 7}]},
    ],
)
def test_unreadable_findings_are_not_within_the_limit(aws: AwsHarness, found: object) -> None:
    """Exit 5: what cannot be read may be critical."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.2")
    page = {"imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": found}
    aws.cloud.door.answer("DescribeImageScanFindings", page)
    aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="NONE")


def test_the_scans_of_an_index_are_bounded(aws: AwsHarness) -> None:
    """An index may list more images than a run can look up."""
    name = aws.cloud.repository()
    aws.cloud.push_index("1.4.2", [OTHER] * 51)
    result = aws.refused(5, f"{name}:1.4.2", MAX_SEVERITY="HIGH")
    assert "its index lists 51 images" in result.stdout


def test_auto_deploys_unverified_without_access_to_ecr(aws: AwsHarness) -> None:
    """The missing rights are logged."""
    name = aws.cloud.repository()
    aws.cloud.fail("DescribeImages", "AccessDeniedException", "no", times=2)
    result = aws.deploy(f"{name}:1.4.2")
    assert result.code == 0, result.text
    assert "not verified (VERIFY_IMAGE: auto): AWS does not allow arn:aws:iam::" in result.log
    assert "does not allow" in result.report["images"][0]["not_verified"]


@pytest.mark.parametrize(
    "variables", [{"VERIFY_IMAGE": "true"}, {"PIN_DIGEST": "true"}, {"MAX_SEVERITY": "HIGH"}]
)
def test_a_required_verification_must_succeed(aws: AwsHarness, variables: dict[str, str]) -> None:
    """Exit 5 names the rights that the role needs."""
    repository = aws.cloud.repository()
    aws.cloud.fail("DescribeImages", "AccessDeniedException", "no")
    result = aws.refused(5, f"{repository}:1.4.2", **variables)
    (name,) = variables
    assert f"could not be verified, which {name}: " in result.stdout
    assert "Allow it ecr:DescribeImages" in result.log


def test_auto_deploys_unverified_without_an_aws_identity(aws: AwsHarness) -> None:
    """ECR gets no request, and the reason is logged."""
    image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/web:1.4.2"
    result = aws.harness.deploy(image, AWS_FROM_PORTAL="false")
    assert result.code == 0, result.text
    assert "requires an AWS identity" in result.log
    assert aws.cloud.door.log == []


def test_verify_image_false_sends_no_request_to_ecr(aws: AwsHarness) -> None:
    """Only the role is assumed."""
    result = aws.deploy(
        f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/web:1", VERIFY_IMAGE="false"
    )
    assert result.code == 0, result.text
    assert aws.cloud.door.log == ["AssumeRoleWithWebIdentity"]


def test_a_dry_run_verifies_the_image(aws: AwsHarness) -> None:
    """A missing image ends it with exit 5."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.1")
    result = aws.deploy(f"{name}:1.4.2", DRY_RUN="true")
    assert result.code == 5
    assert "Did you mean 1.4.1?" in result.stdout


@pytest.mark.parametrize("pin", ["true", "false"])
def test_ecr_cannot_replace_a_requested_digest(aws: AwsHarness, pin: str) -> None:
    """Exit 5 names both digests."""
    name = aws.cloud.repository()
    aws.cloud.door.answer("DescribeImages", {"imageDetails": [{"imageDigest": OTHER}]})
    result = aws.refused(5, f"{name}@{REQUESTED}", PIN_DIGEST=pin)
    assert f"its digest is {OTHER}, expected {REQUESTED}" in result.stdout


@pytest.mark.parametrize("digest", ["", "sha256:short", f"{OTHER}@{REQUESTED}"])
def test_only_a_digest_from_ecr_is_pinned(aws: AwsHarness, digest: str) -> None:
    """Any other text cannot become part of an image reference."""
    name = aws.cloud.repository()
    aws.cloud.door.answer("DescribeImages", {"imageDetails": [{"imageDigest": digest}]})
    result = aws.refused(5, f"{name}:1.4.2", PIN_DIGEST="true")
    assert "ECR did not return its digest" in result.stdout


def test_a_rollback_to_an_image_that_is_gone_is_refused(aws: AwsHarness) -> None:
    """A lifecycle rule may have removed the previous image of `ACTION: rollback`."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.1")
    aws.cloud.push("1.4.2")
    assert aws.deploy(f"{name}:1.4.1").code == 0
    assert aws.deploy(f"{name}:1.4.2").code == 0
    aws.cloud.client("ecr").batch_delete_image(
        repositoryName="team/web", imageIds=[{"imageTag": "1.4.1"}]
    )
    result = aws.refused(5, "", ACTION="rollback")
    assert f"The image {name}:1.4.1 does not exist" in result.stdout


def cache(aws: AwsHarness, prefix: str, upstream: str = "quay.io") -> None:
    """Have ECR fill the repositories with a prefix from another registry."""
    aws.cloud.door.rules.append({"ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": upstream})


@pytest.mark.parametrize("prefix", ["team", "ROOT"])
def test_an_image_that_ecr_has_not_cached_yet_is_not_missing(aws: AwsHarness, prefix: str) -> None:
    """The first pull gets it from the registry behind the cache."""
    name = aws.cloud.repository()
    cache(aws, prefix)
    result = aws.deploy(f"{name}:1.4.2")
    assert result.code == 0, result.text
    assert "not verified (VERIFY_IMAGE: auto): ECR has not cached it" in result.log
    assert "from quay.io" in result.log


def test_a_cache_without_the_repository_is_not_missing_either(aws: AwsHarness) -> None:
    """ECR creates the repository with the first pull."""
    cache(aws, "ecr-public", "public.ecr.aws")
    result = aws.deploy(f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/ecr-public/nginx/nginx:1.27")
    assert result.code == 0, result.text
    assert "the first pull gets it from public.ecr.aws" in result.log


def test_an_image_that_is_not_cached_cannot_be_required(aws: AwsHarness) -> None:
    """Exit 5: nothing proves that the registry behind the cache has it."""
    name = aws.cloud.repository()
    cache(aws, "team")
    result = aws.refused(5, f"{name}:1.4.2", VERIFY_IMAGE="true")
    assert "could not be verified, which VERIFY_IMAGE: 'true' requires: ECR has" in result.stdout


def test_a_cache_of_another_prefix_does_not_hide_a_missing_image(aws: AwsHarness) -> None:
    """A prefix ends at a slash."""
    name = aws.cloud.repository()
    cache(aws, "te")
    assert "does not exist" in aws.refused(5, f"{name}:1.4.2").stdout


def test_hidden_cache_rules_leave_an_image_missing(aws: AwsHarness) -> None:
    """Exit 5, with the permission that would show them."""
    name = aws.cloud.repository()
    aws.cloud.fail("DescribePullThroughCacheRules", "AccessDeniedException", "no", times=9)
    result = aws.refused(5, f"{name}:1.4.2")
    assert "does not exist" in result.stdout
    assert "allow the role ecr:DescribePullThroughCacheRules" in result.log


def test_an_image_for_another_architecture_is_refused(aws: AwsHarness) -> None:
    """Exit 5 before anything changes; the indexes name the platforms."""
    name = aws.cloud.repository()
    aws.cloud.push_index("1", [REQUESTED], architectures=["amd64"])
    aws.cloud.push_index("2", [OTHER], architectures=["arm64"])
    aws.harness.world.service("web").set_images({MAIN_CONTAINER: f"{name}:1"}, "eve")
    aws.harness.clock.advance(60)
    result = aws.refused(5, f"{name}:2")
    assert f"The image {name}:2 is for linux/arm64, and {name}:1, which runs" in result.stdout


def test_the_configuration_of_a_single_image_is_downloaded(aws: AwsHarness) -> None:
    """From the address that ECR signs, which is not shown."""
    signature = "X-Amz-Signature=0123456789abcdef-of-a-blob"
    name = aws.cloud.repository()
    for tag in ("1", "2"):
        aws.cloud.push(tag)
    aws.harness.world.service("web").set_images({MAIN_CONTAINER: f"{name}:1"}, "eve")
    aws.harness.clock.advance(60)
    body = {"os": "linux", "architecture": "arm64"}
    with HttpServer(lambda _: Answer(body=json.dumps(body))) as server:
        address = {"downloadUrl": f"{server.url}/blob?{signature}"}
        aws.cloud.door.answer("GetDownloadUrlForLayer", address, times=2)
        with Server(aws.harness.world) as portal:
            result = aws.harness.run_with(
                {
                    **aws.cloud.environ(),
                    **aws.cloud.endpoints(),
                    **environment(portal.url, aws.harness.world.token, image=f"{name}:2"),
                    "DEBUG": "true",
                },
                sockets=True,
            )
        assert [request.path for request in server.requests] == [f"/blob?{signature}"] * 2
    assert result.code == 0, result.text
    assert signature not in result.text
