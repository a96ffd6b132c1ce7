"""An empty tenant, and the program run against it with few words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.sandbox import World
from tests.sandbox.record import RequestRecord
from tests.support import stage as stages
from tests.support.stage import HOST


@dataclass
class Stage:
    """A world and a way to run the program in it."""

    whole: stages.Stage
    output: str = ""

    @property
    def world(self) -> World:
        """The portal's inside."""
        return self.whole.world

    def run(self, **variables: str) -> int:
        """Run the program once; `told` is everything it said."""
        usual = {"DUPLO_HOST": HOST, "DUPLO_TOKEN": self.world.token, "TENANT": "dev01"}
        ending = self.whole.run(usual | variables)
        self.output = ending.text
        return ending.code

    def requests(self, word: str) -> list[RequestRecord]:
        """The requests whose path holds a word."""
        return [record for record in self.world.log if word.lower() in record.path.lower()]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A tenant without anything in it."""
    return Stage(stages.Stage(tmp_path))


@pytest.fixture
def old_stage(tmp_path: Path) -> Stage:
    """The same on a portal of an earlier generation."""
    found = Stage(stages.Stage(tmp_path))
    found.world.portal = "old"
    return found
