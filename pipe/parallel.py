"""Concurrent calls that are complete when the caller continues, even after an interruption."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")

MOST_THREADS = 8
"""Below the ten connections that the pool of a session keeps."""


def run_concurrently(function: Callable[[T], None], items: Sequence[T]) -> tuple[Exception, ...]:
    """Call `function` for every item in threads; return the exceptions in the order of the items.

    After the first exception, or when the run is interrupted, no more calls begin; calls that have
    begun end before this returns or raises.
    """
    if len(items) == 1:
        # Without a thread an interruption reaches the call at once.
        return _call_directly(function, items[0])
    pool = ThreadPoolExecutor(min(MOST_THREADS, len(items)) or 1, thread_name_prefix="change")
    try:
        futures = [pool.submit(function, item) for item in items]
        wait(futures, return_when=FIRST_EXCEPTION)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return tuple(_exceptions(futures))


def _call_directly(function: Callable[[T], None], item: T) -> tuple[Exception, ...]:
    try:
        function(item)
    except Exception as error:  # noqa: BLE001 - returned, like those of threads
        return (error,)
    return ()


def _exceptions(futures: Iterable[Future[None]]) -> Iterable[Exception]:
    for future in futures:
        error = None if future.cancelled() else future.exception()
        if isinstance(error, Exception):
            yield error
        elif error is not None:
            raise error
