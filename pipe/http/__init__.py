"""HTTP with limits on every request, retries only where safe, and errors that name the cause."""

from pipe.http.client import HttpClient, Reply
from pipe.http.limits import Limits
from pipe.http.network import Network

__all__ = ["HttpClient", "Limits", "Network", "Reply"]
