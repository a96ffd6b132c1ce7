"""One way out to the network: one session, limits on everything, retries only where harmless."""

from pipe.http.client import HttpClient, Reply
from pipe.http.limits import Limits
from pipe.http.network import Network

__all__ = ["HttpClient", "Limits", "Network", "Reply"]
