"""One way out to the network: one session, limits on everything, retries only where harmless."""

from pipe.http.client import HttpClient, Reply
from pipe.http.limits import Limits

__all__ = ["HttpClient", "Limits", "Reply"]
