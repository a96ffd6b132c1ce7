"""HTTP with limits on every request, retries only where safe, and errors that name the cause.

The client is loaded when one of its names is first used: the first request is sent without it
(see `pipe.loading`).
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipe.http.client import HttpClient, Reply
    from pipe.http.limits import Limits
    from pipe.http.network import Network

__all__ = ["HttpClient", "Limits", "Network", "Reply"]

_PLACES = {"HttpClient": "client", "Limits": "limits", "Network": "network", "Reply": "client"}


def __getattr__(name: str) -> object:
    """Return a name of the client."""
    if name not in _PLACES:
        raise AttributeError(name)
    return getattr(import_module(f"pipe.http.{_PLACES[name]}"), name)
