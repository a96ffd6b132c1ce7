"""A stateful stand-in for the portal that follows its API, quirks included."""

from tests.sandbox.app import create_app
from tests.sandbox.behaviour import Behaviour
from tests.sandbox.commands import Command
from tests.sandbox.record import RequestRecord
from tests.sandbox.script import ApiFault
from tests.sandbox.server import Server
from tests.sandbox.world import DEFAULT_TOKEN, World
from tests.sandbox.wsgi import WsgiAdapter

__all__ = [
    "DEFAULT_TOKEN",
    "ApiFault",
    "Behaviour",
    "Command",
    "RequestRecord",
    "Server",
    "World",
    "WsgiAdapter",
    "create_app",
]
