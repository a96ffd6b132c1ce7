"""Match a response with the user's expression, within a limit of time.

The application under test writes the text, and a text can be made for which an ordinary expression
takes minutes. Python cannot interrupt a match, so another process runs it, which can be ended.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys

LONGEST_TEXT = 1 << 20
"""Bytes of the response that are searched."""
_SEARCH = """
import json, re, sys
pattern, flags, text = json.load(sys.stdin)
sys.exit(0 if re.search(pattern, text, flags) else 3)
"""
_FOUND, _ABSENT = 0, 3


class CannotMatch(Exception):
    """The search did not finish; the text is the rest of a sentence about the body."""


def matches(pattern: re.Pattern[str], body: bytes, seconds: float) -> bool:
    """Return whether the expression matches anywhere in the body; raise `CannotMatch`."""
    text = body[:LONGEST_TEXT].decode("utf-8", "replace")
    command = [sys.executable, "-I", "-S", "-c", _SEARCH]
    request = json.dumps([pattern.pattern, int(pattern.flags), text])
    try:
        done = subprocess.run(
            command,
            input=request,
            text=True,
            capture_output=True,
            timeout=seconds,
            env={},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotMatch(
            f'takes more than {seconds:g} s to compare with "{pattern.pattern}"'
        ) from None
    except OSError as error:
        raise CannotMatch(f"cannot be compared: {error.strerror}") from error
    if done.returncode not in (_FOUND, _ABSENT):
        raise CannotMatch(f"cannot be compared: the process ended with {done.returncode}")
    return done.returncode == _FOUND
