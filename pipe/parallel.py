"""Doing the same to many things side by side, so that an interruption leaves nothing unsaid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")

MOST = 8
"""Requests at a time; the connection pool below holds ten."""


def run_concurrently(act: Callable[[T], None], things: Sequence[T]) -> tuple[Exception, ...]:
    """Call `act` for every thing, at most `MOST` at a time; the exceptions, in order of things.

    After the first exception, or when the run is interrupted, nothing more is begun; whatever
    was begun comes to its end before this returns or raises.
    """
    if len(things) == 1:
        # One thing needs no thread, and an interruption reaches it at once.
        return _alone(act, things[0])
    pool = ThreadPoolExecutor(min(MOST, len(things)) or 1, thread_name_prefix="change")
    try:
        futures = [pool.submit(act, thing) for thing in things]
        wait(futures, return_when=FIRST_EXCEPTION)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return tuple(_exceptions(futures))


def _alone(act: Callable[[T], None], thing: T) -> tuple[Exception, ...]:
    try:
        act(thing)
    except Exception as error:  # noqa: BLE001 - handed out, like those of threads
        return (error,)
    return ()


def _exceptions(futures: Iterable[Future[None]]) -> Iterable[Exception]:
    for future in futures:
        error = None if future.cancelled() else future.exception()
        if isinstance(error, Exception):
            yield error
        elif error is not None:
            raise error
