"""Reading a long list again decodes only the objects that changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe.portal.fields import UnexpectedShape
from pipe.portal.list_reader import ListReader

Item = dict[str, Any]
names = st.sampled_from(["a", "b", "c", "d", "é", "日本"])
texts = st.text(max_size=12) | st.just("x" * 9000) | st.just("日" * 3000)
objects = st.fixed_dictionaries({"name": names, "value": texts}) | st.fixed_dictionaries(
    {"name": names, "deep": st.lists(st.dictionaries(names, st.integers(), max_size=2), max_size=3)}
)
entries = objects | st.none() | st.integers() | st.text(max_size=3)
bodies = st.tuples(
    st.lists(entries, max_size=8), st.booleans(), st.sampled_from([None, 2]), st.booleans()
)
edits = st.lists(
    st.tuples(st.sampled_from(["add", "change", "remove", "rotate"]), st.integers(0, 1000)),
    max_size=12,
)
sizes = st.integers(1, 100) | st.integers(1, 20_000)


def list_reader() -> tuple[ListReader[tuple[str, str]], list[Item]]:
    """Return a reader, and the list of objects it decodes from now on."""
    decoded: list[Item] = []

    def build(item: Item) -> tuple[str, str]:
        decoded.append(item)
        return (item["name"], json.dumps(item, sort_keys=True))

    return ListReader(build, lambda value: value[0]), decoded


def encode(items: list[Any], ascii_only: bool, indent: int | None, padded: bool) -> bytes:
    """Return the items as JSON, formatted in one of several ways."""
    text = json.dumps(items, ensure_ascii=ascii_only, indent=indent)
    return (f" \n{text}\r\n\t" if padded else text).encode()


def in_pieces(body: bytes, size: int) -> Iterator[bytes]:
    """Yield a body as it may arrive."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


@given(st.lists(st.tuples(bodies, sizes), min_size=1, max_size=5))
def test_the_values_are_those_of_a_plain_json_parser(
    looks: list[tuple[tuple[list[Any], bool, int | None, bool], int]],
) -> None:
    """Objects may be added, changed, reordered or removed between two readings."""
    reader, _ = list_reader()
    for look, size in looks:
        body = encode(*look)
        expected = [item for item in json.loads(body) if isinstance(item, dict)]
        read = reader.read(in_pieces(body, size))
        assert [json.loads(text) for _, text in read] == expected


@given(st.integers(0, 200), st.lists(edits, min_size=1, max_size=4), sizes)
def test_a_long_list_is_that_of_a_plain_json_parser_too(
    count: int, looks: list[list[tuple[str, int]]], size: int
) -> None:
    """It is compared many entries at a time, however it was edited meanwhile."""
    reader, decoded = list_reader()
    items = [{"name": str(number)} for number in range(count)]
    reader.read([json.dumps(items).encode()])
    for look, several in enumerate(looks):
        decoded.clear()
        for number, (edit, place) in enumerate(several):
            at = place % (len(items) + 1)
            if edit in ("remove", "change"):
                items[at : at + 1] = []
            if edit in ("add", "change"):
                items.insert(at, {"name": f"{look} {number}"})
            if edit == "rotate":
                items = items[at:] + items[:at]
        read = reader.read(in_pieces(json.dumps(items).encode(), size))
        assert [json.loads(text) for _, text in read] == items
        # The first entry, and a few for each edit that moves others.
        assert len(decoded) <= 1 + 5 * len(several)


def test_only_changed_and_new_objects_are_decoded_again() -> None:
    """What follows a removed one is found without decoding it."""
    reader, decoded = list_reader()
    before = [{"name": str(number), "value": "x"} for number in range(100)]
    reader.read([json.dumps(before).encode()])
    after = [*before[:5], {"name": "new", "value": ""}, *before[5:40], *before[41:]]
    after[20] = {"name": "19", "value": "changed"}
    decoded.clear()
    values = reader.read([json.dumps(after).encode()])
    assert [json.loads(text) for _, text in values] == after
    assert [item["name"] for item in decoded] == ["new", "19"]


@pytest.mark.parametrize(
    ("after", "most"),
    [
        (range(20, 100), 1),
        ([*range(50), *range(75, 100)], 1),
        ([*range(50, 100), *range(50)], 4),
        (range(99, -1, -1), 100),
        ([*range(100), *range(200, 205)], 5),
        ([*range(99)], 1),
    ],
    ids=["the first are gone", "a part is gone", "two halves", "reversed", "more", "one less"],
)
def test_both_lists_run_in_parallel_again_after_larger_changes(
    after: Sequence[int], most: int
) -> None:
    reader, decoded = list_reader()
    reader.read([json.dumps([{"name": str(number)} for number in range(100)]).encode()])
    decoded.clear()
    values = reader.read([json.dumps([{"name": str(number)} for number in after]).encode()])
    assert [name for name, _ in values] == [str(number) for number in after]
    assert len(decoded) <= most


def test_nothing_of_an_unchanged_list_is_decoded_again() -> None:
    reader, decoded = list_reader()
    body = b'[{"name": "a"}, {"name": "b"}]'
    first = reader.read([body])
    decoded.clear()
    assert reader.read([bytes(bytearray(body))]) == first
    assert not decoded


def test_a_body_that_breaks_off_leaves_the_reading_before() -> None:
    """The next one is compared with what was complete."""
    reader, decoded = list_reader()
    body = json.dumps([{"name": str(number)} for number in range(100)]).encode()
    reader.read([body])

    def broken() -> Iterator[bytes]:
        yield json.dumps([{"name": "other"}, {"name": "1"}]).encode()[:-1]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        reader.read(broken())
    decoded.clear()
    assert len(reader.read([body])) == 100
    assert not decoded


def test_an_entry_without_a_value_is_left_out_each_time() -> None:
    reader = ListReader[str](lambda item: item["name"] or None, str)
    assert reader.read([b'[{"name": ""}, {"name": "a"}]']) == ("a",)
    assert reader.read([b'[{"name": ""}, {"name": "a"}, {"name": "b"}]']) == ("a", "b")


@pytest.mark.parametrize(
    "body",
    [
        b'[{"name": "a"}, ]',
        b'[{"name": "a"}',
        b'[{"name": "a"}, {"name": "b"}, ]',
        b'[{"name": "a"}, {"name": "b"}',
        b'[1[{"name": "a"}, {"name": "b"}]',
        b'[{"name": "c"}[{"name": "a"}, {"name": "b"}]',
    ],
)
def test_invalid_json_is_refused_although_parts_of_it_are_known(body: bytes) -> None:
    reader, _ = list_reader()
    reader.read([b'[{"name": "a"}, {"name": "b"}]'])
    with pytest.raises(ValueError, match=r"."):
        reader.read([body])


@pytest.mark.parametrize(
    "encode_text", [str.encode, lambda text: text.encode("utf-8-sig")], ids=["plain", "bom"]
)
def test_an_entry_that_is_not_an_object_does_not_hide_the_next(
    encode_text: Callable[[str], bytes],
) -> None:
    """A number may be the beginning of a longer one."""
    reader, _ = list_reader()
    for text in ('[1, {"name": "a"}]', '[12, {"name": "a"}]', '[{"name": "a"}, 1]'):
        assert [name for name, _ in reader.read([encode_text(text)])] == ["a"]


@pytest.mark.parametrize(
    "body", [b"", b"[", b'[{"name": "a"', b'[{"name": "a"},]', b"[1 2]", b"[] x", b"<html>"]
)
def test_invalid_json_is_refused(body: bytes) -> None:
    """A truncated reply or a gateway's page is not read in part."""
    with pytest.raises(ValueError, match=r"."):
        list_reader()[0].read([body])


def test_null_is_an_empty_list_and_an_object_is_not_a_list() -> None:
    """The portal sends null for an empty list."""
    assert list_reader()[0].read([b" null "]) == ()
    with pytest.raises(UnexpectedShape):
        list_reader()[0].read([b'{"Message": "no"}'])
