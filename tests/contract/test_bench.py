"""The README shows what `make bench` measures, in the form that it writes."""

from __future__ import annotations

import re

from image.contents import part
from tests.bench.__main__ import README, replaced
from tests.bench.cases import LARGE, SMALL
from tests.bench.deployments import FIGURES
from tests.bench.figures import COLUMNS, PIPE, Figure, as_markdown, as_text

TIMES = Figure("Start", "{:.1f} s", {PIPE: [1.0, 2.0, 1.5], "rival": [3.0], "unknown": [0.0]})


def table(name: str) -> list[list[str]]:
    """Return the cells of the table in a generated part of the README."""
    pattern = rf"made by make bench: {name}\)$(.*?)^[^\n]*made by make bench: end"
    found = re.search(pattern, README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found, name
    lines = [line for line in found[1].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_readme_has_every_figure() -> None:
    """No figure is added, removed or renamed without another `make bench ARGS=--write`."""
    head, _, *rows = table("figures")
    assert tuple(head) == COLUMNS
    titles = [row[0] for row in rows if row[0]]
    deployed = [
        f"{case.title}: {title}"
        for case in (*SMALL, LARGE)
        for field, title, _ in FIGURES
        if field != "look" or case.is_large
    ]
    assert titles == [
        *("Process to first request", "Container to first request", "Image, compressed"),
        *deployed,
    ]


def test_the_parts_of_the_image_add_up_to_its_size() -> None:
    """The two tables are from one image."""
    _, _, *rows = table("image")
    total = sum(float(size.removesuffix(" MB")) for _, size in rows)
    (size,) = [row[1] for row in table("figures") if row[0] == "Image, compressed"]
    assert abs(total - float(size.removesuffix(" MB"))) < 0.3


def test_a_row_has_medians_with_their_range() -> None:
    """The range is left out where it looks the same; a ratio to nothing is left out too."""
    assert as_markdown([TIMES]).splitlines() == [
        "| Figure | pipe | Compared with |  | Ratio |",
        "| --- | --- | --- | --- | --- |",
        "| Start | 1.5 s (1.0-2.0) | rival | 3.0 s | 0.50 |",
        "|  |  | unknown | 0.0 s |  |",
    ]
    assert as_text([TIMES]).splitlines()[1] == (
        "Start   1.5 s (1.0-2.0)  rival          3.0 s  0.50"
    )


def test_only_the_named_part_of_a_document_is_replaced() -> None:
    """What is written once can be written again."""
    page = "a\n(made by make bench: x)\nold\n(made by make bench: end)\nb\n"
    once = replaced(page, "x", "new")
    assert once == "a\n(made by make bench: x)\n\nnew\n\n(made by make bench: end)\nb\n"
    assert replaced(once, "x", "new") == once
    assert replaced(page, "y", "new") == page


def test_every_file_of_the_image_belongs_to_a_part() -> None:
    """A package or library without a part of its own is still counted."""
    site = "usr/local/lib/python3.13/site-packages"
    expected = {
        f"{site}/pipe/run.py": "the pipe",
        f"{site}/six.pyc": "boto3 and botocore, with the models of three services",
        f"{site}/boto3-1.0.dist-info/LICENSE": "licences and versions of the packages",
        f"{site}/new/__init__.pyc": "other packages",
        "usr/local/lib/python3.13/ssl.pyc": "Python's standard library",
        "usr/local/bin/python3.13": "Python's interpreter",
        "usr/local/lib/libpython3.13.so.1.0": "Python's interpreter",
        "usr/lib/x86_64-linux-gnu/libcrypto.so.3": "OpenSSL",
        "usr/lib64/ld-linux-x86-64.so.2": "the C library",
        "usr/lib/x86_64-linux-gnu/libz.so.1": "other libraries",
        "usr/bin/busybox": "shell and tools (busybox)",
        "etc/ssl/certs/ca-certificates.crt": "certificate authorities",
        "LICENSE": "documents, folders, time zone UTC, list of Debian's packages",
    }
    assert {path: part(path) for path in expected} == expected
