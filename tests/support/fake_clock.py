"""A clock that moves only when something sleeps on it."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 2, 3, 10, 0, 0, tzinfo=UTC)


class FakeClock:
    """Sleeping advances it at once; `slept` records every wait."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return 1000.0 + self.elapsed

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.elapsed)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.elapsed += max(0.0, seconds)

    def advance(self, seconds: float) -> None:
        self.elapsed += seconds
