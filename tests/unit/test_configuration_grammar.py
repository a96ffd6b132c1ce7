"""The values that `ENV`, `ENV_REMOVE` and `REPLICAS` accept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pipe.configuration import Configuration
from pipe.errors import ConfigError
from pipe.kind import Kind
from pipe.model import MAIN, Target
from pipe.settings import load
from pipe.settings.configuration import secret_values

BASE = {
    "DUPLO_HOST": "https://p.example",
    "DUPLO_TOKEN": "token-0123456789",
    "TENANT": "dev01",
    "SERVICES": "web=team/web:2 web/log=log:3 ecs:api=team/api:2",
}
WEB, API = Target(Kind.SERVICE, "web"), Target(Kind.ECS, "api")


def configurations(**variables: str) -> Mapping[Target, Configuration]:
    """Return the wanted configuration by target."""
    return load(BASE | variables).configurations


def values(configuration: Configuration, container: str = MAIN) -> dict[str, str]:
    """Return the variables to set in a container."""
    edit = configuration.environment[container]
    return {name: value.reveal() for name, value in edit.values.items()}


def problems(**variables: str) -> dict[str, str]:
    """Return the problems by variable; several of one variable are joined."""
    with pytest.raises(ConfigError) as caught:
        load(BASE | variables)
    found: dict[str, str] = {}
    for problem in caught.value.problems:
        found[problem.variable] = f"{found.get(problem.variable, '')}{problem.what}; "
    return found


def test_without_the_variables_nothing_is_configured() -> None:
    """Most runs change images only."""
    assert configurations() == {}


def test_an_entry_without_a_name_in_front_is_for_every_target() -> None:
    """It sets a variable of the main container; the value may hold = and :."""
    found = configurations(ENV="URL=postgres://db:5432/x?a=b")
    assert values(found[WEB]) == values(found[API]) == {"URL": "postgres://db:5432/x?a=b"}


def test_an_entry_may_name_kind_target_and_container() -> None:
    """As entries of SERVICES do."""
    found = configurations(
        ENV="web:A=1\nweb/log:B=2\necs:api:C=3", ENV_REMOVE="web:OLD, ecs:api/proxy:GONE"
    )
    assert values(found[WEB]) == {"A": "1"}
    assert values(found[WEB], "log") == {"B": "2"}
    assert values(found[API]) == {"C": "3"}
    assert found[WEB].environment[MAIN].removed == {"OLD"}
    assert found[API].environment["proxy"].removed == {"GONE"}


def test_a_list_may_hold_values_with_line_breaks() -> None:
    """Bitbucket passes each entry as a variable of its own."""
    found = configurations(ENV_COUNT="2", ENV_0="CERT=a\nb", ENV_1="EMPTY=")
    assert values(found[WEB]) == {"CERT": "a\nb", "EMPTY": ""}


def test_a_file_is_read_as_docker_reads_it(tmp_path: Path) -> None:
    """Comments and blank lines are skipped; quotes, spaces and # in values are literal."""
    text = '# comment\n\n  A="quoted"\nB= x # y\nC=$HOME\r\nD=\n'
    (tmp_path / "prod.env").write_text(text, "utf-8", newline="")
    found = configurations(ENV="@prod.env\nE=1", BITBUCKET_CLONE_DIR=str(tmp_path))
    assert values(found[WEB]) == {
        "A": '"quoted"',
        "B": " x # y",
        "C": "$HOME",
        "D": "",
        "E": "1",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\nB", 'has line 2 of "x.env" without a =; write B=value'),
        ("1A=secret-value", 'has no valid name in line 1 of "x.env"'),
    ],
)
def test_a_bad_line_of_a_file_is_named_without_its_value(
    tmp_path: Path, text: str, message: str
) -> None:
    """The number is enough to find it."""
    (tmp_path / "x.env").write_text(text, "utf-8")
    found = problems(ENV="@x.env", BITBUCKET_CLONE_DIR=str(tmp_path))["ENV"]
    assert message in found
    assert "secret-value" not in found


@pytest.mark.parametrize("name", ["absent.env", "link.env", "folder", "/dev/zero", "\0"])
def test_an_unreadable_file_is_refused(tmp_path: Path, name: str) -> None:
    """Links and devices are not read."""
    (tmp_path / "link.env").symlink_to("/etc/passwd")
    (tmp_path / "folder").mkdir()
    found = problems(ENV=f"@{name}", BITBUCKET_CLONE_DIR=str(tmp_path))
    assert "cannot be read" in found["ENV"]


@pytest.mark.parametrize("value", ["\udcff", "x" * (1 << 18)], ids=["not-utf-8", "too-long"])
def test_a_value_that_no_container_can_get_is_refused(value: str) -> None:
    """The portal would refuse or change it."""
    assert "sets A to a value that no container can get" in problems(ENV=f"A={value}")["ENV"]


def test_every_problem_is_reported_at_once() -> None:
    """With nothing but names: values may be secrets."""
    found = problems(
        ENV="=hidden1\nA=hidden2\nA=hidden3\nworker:B=hidden4\nC=$UNSET\nnovalue",
        ENV_REMOVE="A X=hidden5",
        REPLICAS="-1",
    )
    assert "has no valid name in entry 1" in found["ENV"]
    assert "sets A of web twice" in found["ENV"]
    assert "names worker, which this step does not deploy" in found["ENV"]
    assert "sets C to the literal text $UNSET" in found["ENV"]
    assert "has entry 6 without a =" in found["ENV"]
    assert "removes A of web, which ENV sets" in found["ENV_REMOVE"]
    assert "has an entry with a =, but takes names without a value" in found["ENV_REMOVE"]
    assert 'must be a whole number from 0 to 10000, not "-1"' in found["REPLICAS"]
    assert "hidden" not in "".join(found.values())


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_that_cannot_be_configured_is_refused(kind: Kind) -> None:
    """With the kind's own reason."""
    variables = {"SERVICES": f"{kind}:x=a:1", "ENV": "A=1", "REPLICAS": "2"}
    environment, replicas = kind.capabilities.sets_environment, kind.capabilities.sets_replicas
    if environment and replicas:
        assert configurations(**variables)[Target(kind, "x")].replicas == 2
        return
    found = problems(**variables)
    assert environment.reason in found.get("ENV", "")
    assert bool(environment) != ("ENV" in found)
    assert bool(replicas) != ("REPLICAS" in found)


def test_public_and_short_values_are_not_masked() -> None:
    """Masking the tag of the image would hide it in every line of the log."""
    text = "A=true\nB=on\nC=s3cr3t-value\nD=1.2.3\nE=8080"
    found = secret_values(configurations(ENV=text), ["team/web:1.2.3", "https://p.example"])
    assert {value.reveal() for value in found} == {"s3cr3t-value", "8080"}
