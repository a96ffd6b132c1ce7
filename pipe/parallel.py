"""Concurrent calls that are complete when the caller continues, even after an interruption."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

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


def call_within(seconds: float, function: Callable[[], R]) -> R:
    """Return the result of a call in a thread; raise its exception, or `TimeoutError` when late.

    For what nothing can stop, such as a connection that is tried at one address after the other.
    A thread that is late is left behind; it does not keep the process from ending.
    """
    results: list[R] = []
    failures: list[BaseException] = []

    def call() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001 - raised by the caller's thread
            failures.append(error)

    thread = threading.Thread(target=call, name="bounded", daemon=True)
    thread.start()
    thread.join(seconds)
    if failures:
        raise failures[0]
    if not results:
        message = f"no result within {seconds:g} s"
        raise TimeoutError(message)
    return results[0]


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
