"""Settings are read from the environment, with every problem in one error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import trustme

from pipe.errors import ConfigError
from pipe.secret import Secret
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
    """Return the settings of a valid environment with some changes."""
    return load({**GOOD, **changes})


def problem(**changes: str) -> str:
    """Return the single problem that these changes cause."""
    with pytest.raises(ConfigError) as caught:
        settings(**changes)
    (only,) = caught.value.problems
    assert only.variable in changes
    assert only.fix
    return only.what


def test_the_five_variables_of_the_older_pipe_are_enough() -> None:
    """A pipeline written for it works unchanged."""
    loaded = settings()
    assert loaded.host == "https://example.nholuongut.net"
    assert loaded.token.reveal() == "a-token"
    assert str(loaded.image_requests[0].target) == "myservice"
    assert str(loaded.image_requests[0].image) == "myimage:1.0"
    assert (loaded.wait, loaded.wait_timeout, loaded.stable_seconds) == (True, 900.0, 5.0)
    assert not any((loaded.rollback, loaded.restart, loaded.dry_run, loaded.debug))


def test_defaults_are_those_of_the_table() -> None:
    """An absent variable means the default in the table."""
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
    """Only scheme, host and port remain."""
    assert settings(DUPLO_HOST=given).host == address


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("http://example.net", "plain http would send the token"),
        ("ftp://example.net", "must begin with https"),
        ("https://", "not a valid address"),
        ("https://a b", "not a valid address"),
        ("https://x:99999", "not a valid address"),
        ("https://x:y", "not a valid address"),
        ("https://user:pw@example.net", "must not contain a user name or password"),
        ("https://[::1", "not a valid address"),
        ("https://exa\nmple.net", "address"),
    ],
)
def test_an_invalid_address_is_refused(given: str, why: str) -> None:
    """The reason is given, and a possible password is not shown."""
    what = problem(DUPLO_HOST=given)
    assert why in what
    assert "pw" not in what


LOGIN = {"REGISTRY_USERNAME": "ci", "REGISTRY_PASSWORD": "a-password"}
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/web:1"


def in_registries(*images: str, **changes: str) -> Settings:
    """Return the settings of a deploy of these images."""
    entries = " ".join(f"web{number}={image}" for number, image in enumerate(images))
    return settings(SERVICE="", IMAGE="", SERVICES=entries, **changes)


def test_a_login_for_several_registries_is_refused_with_every_other_problem() -> None:
    """It names them; the password would go to the wrong one."""
    images = ("a.example/web:1", "team/web:1", "b.example:5000/web:1")
    with pytest.raises(ConfigError) as caught:
        in_registries(*images, WAIT="never", **LOGIN)
    login, wait = caught.value.problems
    assert (login.variable, wait.variable) == ("REGISTRY_USERNAME", "WAIT")
    assert "in 3: a.example, b.example:5000, registry-1.docker.io" in login.what
    assert "in a step of its own" in login.fix


@pytest.mark.parametrize(
    "images",
    [
        ("a.example/web:1", "a.example/api:1", "A.example/web:2", ECR),
        ("web:1", "docker.io/team/web:1", "index.docker.io/team/web:1"),
        (ECR,),
    ],
)
def test_a_login_is_for_the_one_registry_of_all_images_outside_ecr(images: Sequence[str]) -> None:
    """However its name is written."""
    assert len(in_registries(*images, **LOGIN).password_hosts) <= 1


def test_images_in_several_registries_need_no_login() -> None:
    """Only a password can go to the wrong one."""
    assert in_registries("a.example/web:1", "web:1").password_hosts == {
        "a.example",
        "registry-1.docker.io",
    }


def test_a_rollback_without_an_image_sends_no_password() -> None:
    """There is no image to be the login's registry, not even at Docker Hub."""
    assert not settings(ACTION="rollback", IMAGE="", **LOGIN).password_hosts


@pytest.mark.parametrize("value", ["true", "TRUE", "True", "tRuE"])
def test_booleans_are_accepted_in_any_case(value: str) -> None:
    """`true` may be written in any case."""
    assert settings(RESTART=value).restart


@pytest.mark.parametrize("value", ["yes", "1", "on", "truee", "$X x"])
@pytest.mark.parametrize("name", ["WAIT", "ROLLBACK", "RESTART", "DRY_RUN", "DEBUG"])
def test_other_words_are_not_booleans(name: str, value: str) -> None:
    """The problem names the variable and the accepted values."""
    assert ("must be true or false" in problem(**{name: value})) or "$X" in value


@pytest.mark.parametrize("value", ["-1", "2.5", "many", "3x", "1001", "３"])
def test_a_crash_limit_is_a_whole_number_and_the_refusal_shows_the_line(value: str) -> None:
    """What is refused comes with the line to write."""
    with pytest.raises(ConfigError) as caught:
        settings(CRASH_LIMIT=value)
    (only,) = caught.value.problems
    assert "must be a whole number from 0 (no limit) to 1000" in only.what
    assert "Write under variables:   CRASH_LIMIT: '3'" in only.fix


def test_the_crash_limit_is_three_and_may_be_switched_off() -> None:
    """Zero is a value, not an absent one."""
    assert (settings().crash_limit, settings(CRASH_LIMIT="0").crash_limit) == (3, 0)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "15m", "1e3", "90000", "９"])
def test_a_timeout_is_a_whole_number_of_seconds(value: str) -> None:
    """There is one unit, and values are never capped silently."""
    assert "whole number of seconds from 1 to 86400" in problem(WAIT_TIMEOUT=value)


@pytest.mark.parametrize("name", [v.name for v in VARIABLES if v.required])
@pytest.mark.parametrize("value", ["", "   "])
def test_an_empty_required_variable_is_reported(name: str, value: str) -> None:
    """Bitbucket turns an unset variable into an empty string."""
    assert problem(**{name: value}) == "is empty"


@pytest.mark.parametrize("name", [v.name for v in VARIABLES if v.required])
@pytest.mark.parametrize("value", ["$NAME", "${NAME}"])
def test_a_literal_variable_names_the_line_to_write(name: str, value: str) -> None:
    """With `docker://` Bitbucket does not read pipe.yml: a variable without value stays literal."""
    with pytest.raises(ConfigError) as caught:
        settings(**{name: value})
    (only,) = caught.value.problems
    assert value in only.what
    assert f"Write under variables:   {name}: " in only.fix


@pytest.mark.parametrize("token", ["$ecret-0123456789", "$f00Bar9Qx7", "${a1b2c3}"])
def test_a_secret_may_begin_with_a_dollar_sign(token: str) -> None:
    """It is neither taken for the name of a variable nor shown."""
    assert settings(DUPLO_TOKEN=token).token.reveal() == token
    assert Secret(token) in secrets({"DUPLO_TOKEN": token})


def test_a_literal_inside_a_value_is_found() -> None:
    """myimage:$BITBUCKET_TAG reaches the pipe only if Bitbucket did not expand it."""
    assert "literal text ${BITBUCKET_TAG}" in problem(IMAGE="myimage:${BITBUCKET_TAG}")


def test_a_misspelt_variable_is_suggested() -> None:
    """SERVICE is missing, but SERVCE is set."""
    with pytest.raises(ConfigError) as caught:
        load({**{k: v for k, v in GOOD.items() if k != "SERVICE"}, "SERVCE": "web"})
    assert "SERVCE is set: a typo?" in caught.value.problems[0].what


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("Bearer abc", "without"),
        ("abc def", "spaces"),
        ("abc\ndef", "spaces"),
        ("tokén", "no token has"),
    ],
)
def test_a_token_that_no_header_can_carry_is_refused(value: str, why: str) -> None:
    """The problem does not quote the token."""
    what = problem(DUPLO_TOKEN=value)
    assert why in what
    assert value not in what


@pytest.mark.parametrize("name", ["we b/x", "../web", "web;rm", "-web", "web\x00", "a" * 254])
def test_an_invalid_name_is_refused(name: str) -> None:
    """Names become part of addresses and log lines."""
    assert "not a valid name" in problem(TENANT=name)


def test_stable_seconds_must_be_less_than_the_timeout() -> None:
    """Otherwise no rollout could succeed."""
    with pytest.raises(ConfigError, match="1 problem"):
        settings(STABLE_SECONDS="60", WAIT_TIMEOUT="60")


def test_rollback_needs_wait() -> None:
    """ROLLBACK: true contradicts WAIT: false."""
    with pytest.raises(ConfigError) as caught:
        settings(WAIT="false", ROLLBACK="true")
    assert caught.value.problems[0].variable == "ROLLBACK"


def test_certificates_come_as_text_or_as_a_path(tmp_path: Path) -> None:
    """A path is relative to the clone folder."""
    pem = trustme.CA().cert_pem.bytes().decode()
    (tmp_path / "ca.pem").write_text(pem)
    clone = str(tmp_path)
    assert settings(CA_CERT=pem).ca_cert == pem.strip()
    assert settings(CA_CERT="ca.pem", BITBUCKET_CLONE_DIR=clone).ca_cert == pem


def test_invalid_certificates_are_refused(tmp_path: Path) -> None:
    """A wrong path, a wrong file and a broken certificate have different messages."""
    (tmp_path / "notes.txt").write_text("no certificate")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    assert "neither PEM text nor a readable file" in problem(CA_CERT="no.pem")
    assert "contains no PEM certificate" in problem(CA_CERT=str(tmp_path / "notes.txt"))
    assert "no usable certificate" in problem(CA_CERT=f"{begin}\nAAAA\n{end}")


@pytest.mark.parametrize("value", ["socks5://x:1", "http://", "http://user:s3cretpw@ho st:1"])
def test_an_invalid_proxy_is_refused_without_showing_its_password(value: str) -> None:
    """Only http proxies are supported."""
    assert "s3cretpw" not in problem(HTTPS_PROXY=value)


def test_a_proxy_without_scheme_is_an_http_proxy() -> None:
    """Proxies are often written as proxy:3128."""
    assert settings(HTTPS_PROXY="proxy:3128").proxies.https == "http://proxy:3128"


def test_every_secret_in_the_environment_is_masked() -> None:
    """This includes unused secrets and the password in a proxy's address."""
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
    assert {secret.reveal() for secret in found} == {
        *("one", "two", "three", "four", "f%69ve", "five", "six")
    }


def test_the_secret_parts_of_a_webhook_are_masked() -> None:
    """Path, query and login, written and decoded; short parts stay readable."""
    webhook = "https://bot:pass%21word@hooks.example/v1/spaces?v=1&token=supersecret%2Dtoken"
    found = {secret.reveal() for secret in secrets({"SLACK_WEBHOOK": webhook})}
    assert {"pass%21word", "pass!word", "supersecret%2Dtoken", "supersecret-token"} <= found
    assert "v=1&token=supersecret%2Dtoken" in found
    assert not {"1", "v1", "spaces", "bot", "hooks.example"} & found


def test_a_proxy_password_with_unencoded_characters_is_masked_as_a_whole() -> None:
    """Up to the last @, although the address is not valid."""
    found = secrets({"HTTP_PROXY": "http://ci:p@ss/w?rd@proxy:3128"})
    assert "p@ss/w?rd" in {secret.reveal() for secret in found}


def test_the_environment_of_a_tag_build_is_enough() -> None:
    """There is no branch, ids are in braces, and unset variables are empty strings."""
    loaded = settings(
        BITBUCKET_TAG="v1", BITBUCKET_PIPELINE_UUID="{1de4-x}", WAIT="", REPORT_DIR="", DEBUG=""
    )
    assert (loaded.step.tag, loaded.step.branch) == ("v1", "")
    assert loaded.step.pipeline == "{1de4-x}"
    assert loaded.report_dir is None


@pytest.mark.parametrize(
    ("given", "probed"),
    [
        ("https://bücher.example/health?q=ü", "https://xn--bcher-kva.example/health?q=ü"),
        ("http://my_service:8080/health", "http://my_service:8080/health"),
        ("https://Faß.example:8443/", "https://xn--fa-hia.example:8443/"),
        ("/gesundheit/ü", "/gesundheit/ü"),
    ],
)
def test_a_probed_host_may_be_international_or_have_underscores(given: str, probed: str) -> None:
    """Names within a network often have underscores, which DNS does not forbid."""
    assert settings(POST_DEPLOY_URL=given).tests.url == probed


@pytest.mark.parametrize(
    "given", ["https://ü..example/", f"https://{70 * 'ü'}.example/", "https://me:ü@bücher.example/"]
)
def test_an_impossible_international_host_is_refused(given: str) -> None:
    """The text is not guessed at."""
    assert "ü@" not in problem(POST_DEPLOY_URL=given)
