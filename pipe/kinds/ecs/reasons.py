"""Why ECS tasks stop, from the tasks themselves and from the service's events."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from pipe.portal import EcsTask, Event, TaskContainer
from pipe.secret import clause, cut

_CRASHES = ("TaskFailedToStart", "EssentialContainerExited")
_SCHEDULER = "ServiceSchedulerInitiated"
_CRASH_REASONS = re.compile(
    r"essential container|CannotPull|CannotStart|CannotCreate|ResourceInitialization|OutOfMemory",
    re.IGNORECASE,
)
_ABSENT = re.compile(r"not found|manifest unknown|does not exist|invalid reference", re.IGNORECASE)
# What AWS reports while everything goes well; its documentation lists the messages.
_ORDINARY = re.compile(
    r"has (started|stopped) \d+ (running |pending )?tasks?\b"
    r"|(de)?registered \d+ (targets|instances)"
    r"|has (begun draining|reached a steady state)"
    r"|updated computedDesiredCount"
    r"|deployment completed|deployment \S+ (in progress|completed)",
    re.IGNORECASE,
)
_MOST = 5
_LONGEST = 400


def is_crash(task: EcsTask) -> bool:
    """Return whether a task ended by itself, never started, or failed its health checks.

    Tasks also stop when they are replaced, scaled down, or lose their host.
    """
    if not task.stopped:
        return False
    if task.stop_code == _SCHEDULER:
        return _failed_checks(task)
    if task.stop_code:
        return task.stop_code in _CRASHES
    return bool(_CRASH_REASONS.search(task.stopped_reason)) or _failed_checks(task)


def is_image_absent(task: EcsTask) -> bool:
    """Return whether a task could not start because its image does not exist."""
    texts = (task.stopped_reason, *(container.reason for container in task.containers))
    return is_crash(task) and any("CannotPull" in text and _ABSENT.search(text) for text in texts)


def why(task: EcsTask) -> str:
    """Return why a task stopped, with the containers that are to blame."""
    reason = clause(task.stopped_reason.strip()) or task.stop_code or "AWS gives no reason"
    blamed = [one for one in task.containers if one.exit_code or one.reason]
    if not blamed and task.stop_code == "EssentialContainerExited":
        blamed = [one for one in task.containers if one.exit_code is not None]
    ended = "; ".join(text for one in blamed[:3] if (text := _how(one, reason)))
    return cut(f"{reason} ({ended})" if ended else reason, _LONGEST)


def summary(tasks: Iterable[EcsTask]) -> tuple[str, ...]:
    """Return why tasks stopped, the most frequent reason first, with how many it stopped."""
    counts = Counter(why(task) for task in tasks)
    return tuple(
        f"{number} {'task' if number == 1 else 'tasks'} stopped: {text}"
        for text, number in counts.most_common(_MOST)
    )


def faults(events: Sequence[Event]) -> tuple[str, ...]:
    """Return the latest events that report trouble, newest first."""
    messages = dict.fromkeys(
        cut(event.message, _LONGEST) for event in events if not _ORDINARY.search(event.message)
    )
    return tuple(messages)[:_MOST]


def _failed_checks(task: EcsTask) -> bool:
    reason = task.stopped_reason.lower()
    return "failed" in reason and "health checks" in reason


def _how(container: TaskContainer, known: str) -> str:
    """Return how a container ended; `known` is what was reported before."""
    parts = [f"exit code {container.exit_code}"] if container.exit_code is not None else []
    reason = clause(container.reason.strip())
    # The portal shows 0 for a container that never ran.
    if reason and container.exit_code == 0:
        parts.clear()
    if reason and reason not in known:
        parts.append(reason)
    return f"{container.name}: {', '.join(parts)}" if parts else ""
