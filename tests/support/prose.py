"""Sentences that are put together from parts: what a reader notices at once."""

from __future__ import annotations

import re

_BLUNDERS = re.compile(
    r"""
    (?<!\.)\.\.(?!\.)            # two full stops
    | (?<!\.\.)[.!?]["')]\.      # one inside quotation marks, one after them
    | (?<!\.\.)[.!?][,;]\s       # one in the middle of a sentence
    | [,;:]\s*[,;:.](?!\S)       # a part that is empty
    | \w\ \ \w                   # two spaces
    """,
    re.VERBOSE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def blunders(text: str) -> list[str]:
    """Return doubled punctuation and doubled sentences in a text."""
    found = [match[0] for match in _BLUNDERS.finditer(text)]
    sentences = [one.strip(" ✔✖.").casefold() for one in _SENTENCE_END.split(text)]
    clauses = [part.strip() for one in sentences for part in one.split(";")]
    doubled = {one for one in clauses if len(one) > 8 and clauses.count(one) > 1}
    # Two misspelled names may have the same suggestion.
    return found + [one for one in doubled if not one.startswith("did you mean ")]


def check_prose(stdout: str, log: str) -> None:
    """Check the last line of a run, and its remedies."""
    lines = [*stdout.splitlines()[-1:], *(line for line in log.splitlines() if _is_own(line))]
    for line in lines:
        # Names with line breaks, as hostile ones have, are shown with spaces in their place.
        found = [one for one in blunders(line) if "  " not in one]
        assert not found, (found, line)


def _is_own(line: str) -> bool:
    """Return whether the whole line is the pipe's: others quote tests, pods and servers."""
    return "What to do: " in line or "Trying again" in line
