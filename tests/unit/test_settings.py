"""Variables to settings."""

from pathlib import Path

import pytest
import trustme

from pipe.errors import ConfigError
from pipe.settings import Settings, load
from pipe.settings.load import secrets
from pipe.settings.variables import VARIABLES

GOOD = {
    "DUPLO_HOST": "https://example.nholuongut.net/",
    "DUPLO_TOKEN": "a-token",
    "TENANT": "sometenant",
    "SERVICE": "myservice",
    "IMAGE": "myimage:1.0",
}


def settings(**changes: str) -> Settings:
    """The settings of a good environment with some changes."""
    return load({**GOOD, **changes})


def problem(**changes: str) -> str:
    """The one problem that these changes make."""
    with pytest.raises(ConfigError) as caught:
        settings(**changes)
    (only,) = caught.value.problems
    assert only.variable in changes
    assert only.fix
    return only.what


def test_the_five_variables_of_the_older_pipe_are_enough() -> None:
    """A pipeline written for it runs unchanged."""
    loaded = settings()
    assert loaded.host == "https://example.nholuongut.net"
    assert loaded.token.reveal() == "a-token"
    assert str(loaded.image_requests[0].target) == "myservice"
    assert str(loaded.image_requests[0].image) == "myimage:1.0"
    assert (loaded.wait, loaded.wait_timeout, loaded.stable_seconds) == (True, 900.0, 5.0)
    assert not any((loaded.rollback, loaded.restart, loaded.dry_run, loaded.debug))


def test_defaults_are_those_of_the_table() -> None:
    """What the table tells users is what an absent variable means."""
    spelled_out = {v.name: v.default for v in VARIABLES if v.default}
    assert settings(**spelled_out) == settings()


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("example.nholuongut.net", "https://example.nholuongut.net"),
        ("https://Example.net:8443/app/?x=1#y", "https://example.net:8443"),
        ("  https://example.net  ", "https://example.net"),
        ("http://localhost:8181", "http://localhost:8181"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://host.docker.internal:8181/", "http://host.docker.internal:8181"),
        ("http://[::1]:8181", "http://[::1]:8181"),
        ("https://[2001:db8::1]", "https://[2001:db8::1]"),
    ],
)
def test_the_address_is_normalised(given: str, address: str) -> None:
    """Scheme, host and port remain."""
    assert settings(DUPLO_HOST=given).host == address


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("http://example.net", "plain http would send the token"),
        ("ftp://example.net", "must begin with https"),
        ("https://", "no address"),
        ("https://a b", "no address"),
        ("https://x:99999", "no address"),
        ("https://x:y", "no address"),
        ("https://user:pw@example.net", "must not hold a user or password"),
        ("https://[::1", "no address"),
        ("https://exa\nmple.net", "address"),
    ],
)
def test_an_unusable_address_is_refused(given: str, why: str) -> None:
    """With the reason, and without what may be a password."""
    what = problem(DUPLO_HOST=given)
    assert why in what
    assert "pw" not in what


@pytest.mark.parametrize("value", ["true", "TRUE", "True", "tRuE"])
def test_yes_in_any_case(value: str) -> None:
    """Booleans are true and false in any case."""
    assert settings(RESTART=value).restart


@pytest.mark.parametrize("value", ["yes", "1", "on", "truee", "$X x"])
@pytest.mark.parametrize("name", ["WAIT", "ROLLBACK", "RESTART", "DRY_RUN", "DEBUG"])
def test_anything_else_is_no_boolean(name: str, value: str) -> None:
    """The variable is named and what is allowed is said."""
    assert ("must be true or false" in problem(**{name: value})) or "$X" in value


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "15m", "1e3", "90000", "９"])
def test_a_timeout_is_a_whole_number_of_seconds(value: str) -> None:
    """One unit, and never silently capped."""
    assert "whole number of seconds from 1 to 86400" in problem(WAIT_TIMEOUT=value)


@pytest.mark.parametrize("name", [v.name for v in VARIABLES if v.required])
@pytest.mark.parametrize("value", ["", "   "])
def test_empty_is_missing(name: str, value: str) -> None:
    """Bitbucket turns an unset variable into an empty string."""
    assert problem(**{name: value}) == "is empty"


@pytest.mark.parametrize("name", [v.name for v in VARIABLES if v.required])
@pytest.mark.parametrize("value", ["$NAME", "${NAME}"])
def test_a_literal_variable_names_the_line_to_write(name: str, value: str) -> None:
    """`pipe: docker://` reads no pipe.yml: what nobody gave a value stays literal."""
    with pytest.raises(ConfigError) as caught:
        settings(**{name: value})
    (only,) = caught.value.problems
    assert value in only.what
    assert f"Write under variables:   {name}: " in only.fix


def test_a_literal_inside_a_value_is_seen_too() -> None:
    """myimage:$BITBUCKET_TAG reaches the pipe only when nobody expanded it."""
    assert "literal text ${BITBUCKET_TAG}" in problem(IMAGE="myimage:${BITBUCKET_TAG}")


def test_a_misspelt_variable_is_suggested() -> None:
    """SERVICE is missing, but there is SERVCE."""
    with pytest.raises(ConfigError) as caught:
        load({**{k: v for k, v in GOOD.items() if k != "SERVICE"}, "SERVCE": "web"})
    assert "there is SERVCE: a typo?" in caught.value.problems[0].what


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("Bearer abc", "without"),
        ("abc def", "blanks"),
        ("abc\ndef", "blanks"),
        ("tokén", "no token has"),
    ],
)
def test_a_token_that_cannot_travel_is_refused_unseen(value: str, why: str) -> None:
    """The message does not quote it."""
    what = problem(DUPLO_TOKEN=value)
    assert why in what
    assert value not in what


@pytest.mark.parametrize("name", ["we b/x", "../web", "web;rm", "-web", "web\x00", "a" * 254])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    """Names go into addresses and into the log."""
    assert "no name" in problem(TENANT=name)


def test_stability_must_fit_into_the_timeout() -> None:
    """Otherwise no rollout could ever succeed."""
    with pytest.raises(ConfigError, match="1 problem"):
        settings(STABLE_SECONDS="60", WAIT_TIMEOUT="60")


def test_a_rollback_needs_a_followed_rollout() -> None:
    """WAIT: false and ROLLBACK: true contradict each other."""
    with pytest.raises(ConfigError) as caught:
        settings(WAIT="false", ROLLBACK="true")
    assert caught.value.problems[0].variable == "ROLLBACK"


def test_certificates_come_as_text_or_as_a_path(tmp_path: Path) -> None:
    """A path is one in the clone folder."""
    pem = trustme.CA().cert_pem.bytes().decode()
    (tmp_path / "ca.pem").write_text(pem)
    clone = str(tmp_path)
    assert settings(CA_CERT=pem).ca_cert == pem.strip()
    assert settings(CA_CERT="ca.pem", BITBUCKET_CLONE_DIR=clone).ca_cert == pem


def test_certificates_that_are_none_are_refused(tmp_path: Path) -> None:
    """A wrong path, a wrong file and a broken certificate are three messages."""
    (tmp_path / "notes.txt").write_text("no certificate")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    assert "neither PEM text nor a readable file" in problem(CA_CERT="no.pem")
    assert "holds no PEM certificate" in problem(CA_CERT=str(tmp_path / "notes.txt"))
    assert "no usable certificate" in problem(CA_CERT=f"{begin}\nAAAA\n{end}")


@pytest.mark.parametrize("value", ["socks5://x:1", "http://", "http://user:s3cretpw@ho st:1"])
def test_a_proxy_that_is_none_is_refused_without_its_password(value: str) -> None:
    """Only http proxies are spoken."""
    assert "s3cretpw" not in problem(HTTPS_PROXY=value)


def test_a_proxy_without_scheme_is_an_http_one() -> None:
    """proxy:3128 is how people write it."""
    assert settings(HTTPS_PROXY="proxy:3128").proxies.https == "http://proxy:3128"


def test_every_secret_of_the_environment_is_known_for_masking() -> None:
    """Also those that this run does not use, and the password inside a proxy's address."""
    found = secrets(
        {
            "DUPLO_TOKEN": "one",
            "SLACK_WEBHOOK": "two",
            "BITBUCKET_STEP_OIDC_TOKEN": "three",
            "PIPELINES_JWT_TOKEN": "four",
            "HTTPS_PROXY": "http://user:f%69ve@proxy:1",
            "AWS_SECRET_ACCESS_KEY": "six",
            "REGISTRY_PASSWORD": "$REGISTRY_PASSWORD",
        }
    )
    assert {secret.reveal() for secret in found} == {"one", "two", "three", "four", "five", "six"}


def test_the_environment_of_a_tag_build_is_enough() -> None:
    """No branch, braces in UUIDs, empty strings for what is not set."""
    loaded = settings(
        BITBUCKET_TAG="v1", BITBUCKET_PIPELINE_UUID="{1de4-x}", WAIT="", REPORT_DIR="", DEBUG=""
    )
    assert (loaded.step.tag, loaded.step.branch) == ("v1", "")
    assert loaded.step.pipeline == "{1de4-x}"
    assert loaded.report_dir is None
