"""The parts of Atlassian's toolkit that every run uses."""

from __future__ import annotations

from tests.unit.test_loading import program

WITHOUT = """
import logging, sys
from pipe import toolkit
print(sorted({"yaml", "cerberus", "bitbucket_pipes_toolkit"} & set(sys.modules)))
import bitbucket_pipes_toolkit
print(bitbucket_pipes_toolkit.get_logger() is toolkit.get_logger() is logging.getLogger())
print(len(logging.getLogger().handlers))
toolkit.show_result("done", good=True)
bitbucket_pipes_toolkit.success("done", do_exit=False)
"""
BEFORE = """
import bitbucket_pipes_toolkit, logging
from pipe import toolkit
print(len(logging.getLogger().handlers))
"""


def test_the_log_needs_no_parser_and_no_validator() -> None:
    """If the package is imported later, it does not add a handler that knows no mask."""
    lines = program(WITHOUT).splitlines()
    assert lines[:3] == ["[]", "True", "1"]
    assert lines[3] == lines[4] == "\x1b[32m✔ done\x1b[0m"


def test_the_log_has_one_handler_where_the_package_was_imported_before() -> None:
    assert program(BEFORE) == "1\n"
