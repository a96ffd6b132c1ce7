"""Changing images inside OtherDockerConfig changes nothing else in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe.portal.docker_config import images, with_images

Config = dict[str, Any]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
others = st.dictionaries(
    st.text().filter(lambda key: key.casefold() not in ("name", "image")), values, max_size=3
)
SPELLINGS = ("additionalContainers", "AdditionalContainers", "initContainers", "INITCONTAINERS")


@st.composite
def configs(draw: Callable[..., Any]) -> tuple[str, list[str]]:
    """Return a config with keys in any letter case and order, unknown ones too, and its names."""
    names = draw(st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True))
    sections = draw(st.lists(st.sampled_from(SPELLINGS), min_size=1, unique=True, max_size=3))
    config: Config = {
        key: value for key, value in draw(others).items() if "containers" not in key.casefold()
    }
    for number, name in enumerate(names):
        entry = draw(others)
        keys = draw(st.sampled_from([("name", "image"), ("Image", "Name"), ("image", "NAME")]))
        for key in keys:
            entry[key] = name if key.casefold() == "name" else f"old/{number}:1"
        config.setdefault(sections[number % len(sections)], []).append(entry)
    text = json.dumps(
        config, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1, "\t"]))
    )
    return text, names


def ordered(text: str) -> Any:
    """Return the parsed text with objects as lists of pairs, so that comparing includes order."""
    return json.loads(text, object_pairs_hook=list)


@given(configs(), st.data())
def test_nothing_but_the_image_changes(config: tuple[str, list[str]], data: st.DataObject) -> None:
    """Changing the image back gives the same values in the same order."""
    text, names = config
    name = data.draw(st.sampled_from(names))
    old = f"old/{names.index(name)}:1"
    assert images(text)[name] == old
    changed = with_images(text, {name: "new/image:2"})
    assert images(changed) == {**images(text), name: "new/image:2"}
    assert changed.count("new/image:2") == 1
    assert ordered(changed.replace('"new/image:2"', f'"{old}"')) == ordered(text)


def test_a_section_that_appears_twice_is_searched_twice() -> None:
    """Its keys differ in letter case only."""
    text = (
        '{"AdditionalContainers":[{"name":"a","image":"a:1"}],'
        '"additionalcontainers":[{"name":"b","image":"b:1"}]}'
    )
    changed = with_images(text, {"a": "a:2", "b": "b:2"})
    assert json.loads(changed) == json.loads(text.replace(":1", ":2"))


def test_names_inside_a_container_are_not_container_names() -> None:
    """Only the container's own keys count."""
    text = (
        '{"additionalContainers":[{"env":[{"name":"log","image":"x"}],"image":"a:1","name":"b"}]}'
    )
    assert json.loads(with_images(text, {"b": "a:2"})) == json.loads(text.replace("a:1", "a:2"))
    with pytest.raises(ValueError, match="has no image for log"):
        with_images(text, {"log": "y"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a JSON object"),
        ("", "no image for log"),
        ('{"Env":1e999,"initContainers":[{"name":"log","image":"a"}]}', "not valid JSON"),
    ],
)
def test_a_text_that_cannot_be_rewritten_is_refused(text: str, message: str) -> None:
    """Such a text is left alone."""
    with pytest.raises(ValueError, match=message):
        with_images(text, {"log": "a:1"})
