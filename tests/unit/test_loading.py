"""What is loaded when."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipe import loading

ROOT = Path(__file__).parents[2]
LONGEST = 30

begun, requested = threading.Event(), threading.Event()

POSTPONED = """
import sys
from pipe import loading
loading.postpone("charset_normalizer")
import requests
print("charset_normalizer.api" in sys.modules)
response = requests.Response()
response._content = "Gr\\u00fc\\u00dfe aus K\\u00f6ln, sch\\u00f6ne Gr\\u00fc\\u00dfe".encode()
print(response.apparent_encoding, "charset_normalizer.api" in sys.modules)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that modules are imported from."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def program(text: str) -> str:
    """Run a program in a process of its own; return what it printed."""
    command = [sys.executable, "-c", text]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_a_module_is_loaded_meanwhile(folder: Path) -> None:
    """Neither waits for the other's end, and a later import waits for the module's."""
    (folder / "loaded_meanwhile.py").write_text(
        "import tests.unit.test_loading as test\n"
        "test.begun.set()\n"
        f"assert test.requested.wait({LONGEST})\n"
    )
    loading.start("loaded_meanwhile")
    assert begun.wait(LONGEST)
    requested.set()
    __import__("loaded_meanwhile")
    assert "loaded_meanwhile" in sys.modules


def test_a_defect_is_raised_where_the_module_is_imported(folder: Path) -> None:
    """The thread that loads it prints nothing."""
    (folder / "loaded_badly.py").write_text("raise RuntimeError('a defect')")
    loading.start("loaded_badly")
    # An import that waits for one that fails may get the unfinished module from Python.
    for thread in threading.enumerate():
        if thread.name == "loading":
            thread.join(LONGEST)
    with pytest.raises(RuntimeError, match="a defect"):
        __import__("loaded_badly")


def test_a_postponed_package_is_loaded_when_it_is_used() -> None:
    """Requests imports the package that guesses encodings, and still finds it."""
    assert program(POSTPONED) == "False\nutf-8 True\n"


def test_garbage_is_collected_once_everything_is_loaded() -> None:
    """Not before, and not among the modules."""
    text = (
        "import gc\nfrom pipe import loading\nloading.begin()\nprint(gc.isenabled())\n"
        "loading.finished()\nprint(gc.isenabled(), gc.get_freeze_count() > 1000)"
    )
    assert program(text) == "False\nTrue True\n"
