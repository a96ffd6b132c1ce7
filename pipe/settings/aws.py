"""Read the AWS identity and the image requirements."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pipe.hosts import AWS_REGION, ecr_address
from pipe.secret import Secret
from pipe.settings import addresses, parsers
from pipe.settings.model import (
    AwsSettings,
    FromPortal,
    ImageRequest,
    ImageRules,
    Keys,
    Severity,
    Step,
    Verify,
)
from pipe.settings.reader import Reader

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,576}", re.ASCII)
_SECRET = re.compile(r"[\w/+=.@:-]{1,2048}", re.ASCII)
_SECRET_ARN = re.compile(
    rf"arn:aws[a-z-]*:secretsmanager:(?P<region>{AWS_REGION}):[0-9]{{12}}:secret:[\w/+=.@-]{{1,512}}",
    re.ASCII,
)
_REGION = re.compile(AWS_REGION)
_ENDPOINTS = {"sts": "STS", "ecr": "ECR", "secretsmanager": "SECRETS_MANAGER"}
"""Services that the pipe calls, and the ends of the variables that give them another address."""
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_NOT_IN_SESSION_NAMES = re.compile(r"[^\w+=,.@-]+", re.ASCII)
_LONGEST_SESSION_NAME = 64


def read_aws(
    reader: Reader,
    environ: Mapping[str, str],
    step: Step,
    image_requests: Sequence[ImageRequest],
    secret: str,
) -> AwsSettings:
    """Return the AWS settings; `secret` is DUPLO_TOKEN_SECRET, whose ARN names a region."""
    region = reader.read("AWS_DEFAULT_REGION", _region, "")
    role_arn = reader.read("AWS_OIDC_ROLE_ARN", _role, "")
    keys = _keys(reader)
    from_portal = reader.read(
        "AWS_FROM_PORTAL", lambda value: _from_portal(value.lower()), FromPortal.AUTO
    )
    given = bool(role_arn or keys)
    # Where the portal issues the credentials, it names the region as well.
    implied = _implied_region(image_requests, secret) if given else ""
    return AwsSettings(
        role_arn=role_arn,
        region=region or implied,
        session_name=reader.read(
            "AWS_ROLE_SESSION_NAME", _session_name, _default_session_name(step)
        ),
        duration=int(reader.read("AWS_ROLE_DURATION", parsers.seconds(900, 43200), 3600.0)),
        keys=keys,
        web_identity=Secret(environ.get("BITBUCKET_STEP_OIDC_TOKEN", "").strip()),
        endpoints=_endpoints(
            reader, environ, strict=given or any(ecr_address(one.image) for one in image_requests)
        ),
        from_portal=from_portal,
    )


def read_image_rules(reader: Reader) -> ImageRules:
    """Return what an image must fulfil before it is deployed."""
    return ImageRules(
        verify=reader.read("VERIFY_IMAGE", lambda value: _verify(value.lower()), Verify.AUTO),
        pin_digest=reader.read("PIN_DIGEST", parsers.boolean, otherwise=False),
        max_severity=reader.read("MAX_SEVERITY", _severity, None),
        registry_username=reader.value("REGISTRY_USERNAME"),
        registry_password=Secret(reader.value("REGISTRY_PASSWORD")),
    )


def secret_name(value: str) -> str:
    """Parse the name or ARN of a secret."""
    if not _SECRET.fullmatch(value):
        message = "is neither the name nor the ARN of a secret: it contains invalid characters"
        raise ValueError(message)
    if value.startswith("arn:") and not _SECRET_ARN.fullmatch(value):
        message = (
            f'is not the ARN of a secret: "{parsers.short(value)}"; expected a name, or '
            "arn:aws:secretsmanager:<region>:<account>:secret:<name>"
        )
        raise ValueError(message)
    return value


def cross_check(reader: Reader, aws: AwsSettings, rules: ImageRules, secret: str) -> None:
    """Report AWS and image settings that contradict each other or are incomplete."""
    if secret and not aws.given:
        reader.refuse(
            "AWS_OIDC_ROLE_ARN",
            "is missing: reading DUPLO_TOKEN_SECRET needs a role or keys, because the portal "
            "issues AWS credentials only for its token",
        )
    if secret and reader.raw("DUPLO_TOKEN"):
        reader.refuse(
            "DUPLO_TOKEN_SECRET",
            "and DUPLO_TOKEN are both set, and only one can be used",
            "Remove DUPLO_TOKEN: ..., or DUPLO_TOKEN_SECRET: ...",
        )
    if (aws.role_arn or secret) and aws.given and not aws.region:
        reader.refuse("AWS_DEFAULT_REGION", "is missing, and no image in ECR implies it")
    if rules.verify is Verify.NEVER and (rules.pin_digest or rules.max_severity):
        which = "PIN_DIGEST" if rules.pin_digest else "MAX_SEVERITY"
        reader.refuse(
            "VERIFY_IMAGE",
            f"is 'false', but {which} needs an answer from the registry",
            f"Remove VERIFY_IMAGE: 'false', or remove {which}: ...",
        )
    if bool(rules.registry_username) != bool(rules.registry_password):
        missing = "REGISTRY_PASSWORD" if rules.registry_username else "REGISTRY_USERNAME"
        reader.refuse(missing, "is missing: user name and password must be set together")


def _keys(reader: Reader) -> Keys | None:
    key_id = reader.value("AWS_ACCESS_KEY_ID")
    secret = reader.value("AWS_SECRET_ACCESS_KEY")
    session = reader.value("AWS_SESSION_TOKEN")
    for name, value in (
        ("AWS_ACCESS_KEY_ID", key_id),
        ("AWS_SECRET_ACCESS_KEY", secret),
        ("AWS_SESSION_TOKEN", session),
    ):
        if not (value.isascii() and value.isprintable()) or " " in value:
            reader.refuse(name, "contains characters that no key has; copy it again")
    if bool(key_id) != bool(secret):
        missing = "AWS_SECRET_ACCESS_KEY" if key_id else "AWS_ACCESS_KEY_ID"
        reader.refuse(missing, "is missing: the two keys must be set together")
    elif session and not key_id:
        reader.refuse("AWS_ACCESS_KEY_ID", "is missing: AWS_SESSION_TOKEN needs the two keys")
    return Keys(key_id, Secret(secret), Secret(session)) if key_id and secret else None


def _implied_region(image_requests: Sequence[ImageRequest], secret: str) -> str:
    for request in image_requests:
        if address := ecr_address(request.image):
            return address.region
    matched = _SECRET_ARN.fullmatch(secret)
    return matched["region"] if matched else ""


def _endpoints(reader: Reader, environ: Mapping[str, str], *, strict: bool) -> Mapping[str, str]:
    """Return the addresses of services that variables replace, as the AWS tools read them.

    An invalid one is a problem if `strict`, in a run that is known to call AWS.
    """
    endpoints = {}
    for service, suffix in _ENDPOINTS.items():
        own = f"AWS_ENDPOINT_URL_{suffix}"
        name = own if environ.get(own, "").strip() else "AWS_ENDPOINT_URL"
        if value := environ.get(name, "").strip():
            try:
                endpoints[service] = addresses.aws_endpoint(value)
            except ValueError as error:
                if strict:
                    fix = f"Remove {name}, or give it an https:// address"
                    reader.refuse(name, str(error), fix)
    return endpoints


def _default_session_name(step: Step) -> str:
    """Return a session name that identifies the build, in the characters that STS allows."""
    build = "-".join(filter(None, [step.build_number, step.run_number]))
    tail = f"-{build}" if build else ""
    head = f"bitbucket-{step.repository}" if step.repository else "bitbucket-deploy-pipe"
    head = _NOT_IN_SESSION_NAMES.sub("-", head)
    return head[: _LONGEST_SESSION_NAME - len(tail)] + tail


def _role(value: str) -> str:
    if not _ROLE.fullmatch(value):
        message = (
            f'is not the ARN of a role: "{parsers.short(value)}"; expected '
            "arn:aws:iam::<account>:role/<name>"
        )
        raise ValueError(message)
    return value


def _region(value: str) -> str:
    if not _REGION.fullmatch(value):
        message = f'is not an AWS region: "{parsers.short(value)}"; expected one such as eu-west-1'
        raise ValueError(message)
    return value


def _session_name(value: str) -> str:
    if not _SESSION_NAME.fullmatch(value):
        message = 'must be 2 to 64 letters, digits or any of "_+=,.@-"'
        raise ValueError(message)
    return value


_verify = parsers.choice(Verify)
_from_portal = parsers.choice(FromPortal)


def _severity(value: str) -> Severity | None:
    return parsers.choice(Severity)(value.upper())
