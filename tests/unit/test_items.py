"""A long list that is read again and again costs only what has changed in it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe.portal.fields import Shapeless
from pipe.portal.items import ItemReader

names = st.sampled_from(["a", "b", "c", "d", "é", "日本"])
texts = st.text(max_size=12) | st.just("x" * 9000) | st.just("日" * 3000)
things = st.fixed_dictionaries({"name": names, "value": texts}) | st.fixed_dictionaries(
    {"name": names, "deep": st.lists(st.dictionaries(names, st.integers(), max_size=2), max_size=3)}
)
entries = things | st.none() | st.integers() | st.text(max_size=3)
bodies = st.tuples(
    st.lists(entries, max_size=8), st.booleans(), st.sampled_from([None, 2]), st.booleans()
)


def reader():
    built = []

    def build(item):
        built.append(item)
        return (item["name"], json.dumps(item, sort_keys=True))

    return ItemReader(build, lambda thing: thing[0]), built


def encode(found, ascii_only, indent, padded):
    text = json.dumps(found, ensure_ascii=ascii_only, indent=indent)
    return (f" \n{text}\r\n\t" if padded else text).encode()


@given(st.lists(bodies, min_size=1, max_size=5))
def test_it_reads_what_a_plain_parser_reads(looks):
    """Whatever was added, changed, reordered or left out between looks."""
    found, _ = reader()
    for look in looks:
        body = encode(*look)
        expected = [item for item in json.loads(body) if isinstance(item, dict)]
        assert [json.loads(text) for _, text in found.read(body)] == expected


def test_what_has_not_changed_is_the_same_object():
    """Only the changed and the new are built again."""
    found, built = reader()
    before = [{"name": str(number), "value": "x"} for number in range(100)]
    first = found.read(json.dumps(before).encode())
    after = [{"name": "new", "value": ""}, *before[:40], *before[41:]]
    after[20] = {"name": "19", "value": "changed"}
    built.clear()
    second = found.read(json.dumps(after).encode())
    assert [item["name"] for item in built if item["name"] in ("new", "19")] == ["new", "19"]
    assert len(built) <= 3
    same = [thing for thing in second if any(thing is other for other in first)]
    assert len(same) == 98


@pytest.mark.parametrize(
    "body", [b"", b"[", b'[{"name": "a"', b'[{"name": "a"},]', b"[1 2]", b"[] x", b"<html>"]
)
def test_what_is_no_json_is_no_list(body):
    """Truncated answers and a gateway's page are refused, not read halfway."""
    with pytest.raises(ValueError, match=r"."):
        reader()[0].read(body)


def test_null_is_an_empty_list_and_an_object_is_none():
    """The portal sends null for nothing."""
    assert reader()[0].read(b" null ") == ()
    with pytest.raises(Shapeless):
        reader()[0].read(b'{"Message": "no"}')
