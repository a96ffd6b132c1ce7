"""Images are changed inside the text of OtherDockerConfig, and nothing else in it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe.portal.docker_config import with_images

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
others = st.dictionaries(
    st.text().filter(lambda key: key.casefold() not in ("name", "image")), values, max_size=3
)
SPELLINGS = ("additionalContainers", "AdditionalContainers", "initContainers", "INITCONTAINERS")


@st.composite
def configs(draw):
    """A config as people have them: keys in any case and order, and things nobody here knows."""
    names = draw(st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True))
    sections = draw(
        st.lists(st.sampled_from(SPELLINGS), min_size=1, unique_by=str.casefold, max_size=2)
    )
    config = draw(
        others.map(lambda found: {k: v for k, v in found.items() if "ontainers" not in k})
    )
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


@given(configs(), st.data())
def test_nothing_but_the_image_changes(config, data):
    """Putting the old image in its place again gives the very same text."""
    text, names = config
    name = data.draw(st.sampled_from(names))
    number = names.index(name)
    changed = with_images(text, {name: "new/image:2"})
    assert changed.count("new/image:2") == 1
    assert changed.replace('"new/image:2"', f'"old/{number}:1"') == text


def test_a_nested_name_is_not_the_containers():
    """Only the container's own keys count, not those of things inside it."""
    text = (
        '{"additionalContainers":[{"env":[{"name":"log","image":"x"}],"image":"a:1","name":"b"}]}'
    )
    assert with_images(text, {"b": "a:2"}) == text.replace("a:1", "a:2")
    with pytest.raises(ValueError, match="holds no image of log"):
        with_images(text, {"log": "y"})


@pytest.mark.parametrize(
    ("text", "message"), [("{", "no valid JSON"), ("[]", "no JSON object"), ("", "no image of log")]
)
def test_a_text_that_cannot_be_rewritten_is_refused(text, message):
    """Broken or foreign text is left alone."""
    with pytest.raises(ValueError, match=message):
        with_images(text, {"log": "a:1"})
