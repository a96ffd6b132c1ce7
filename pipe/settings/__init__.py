"""The environment, read once into a frozen object; nothing else in the pipe reads it."""

from pipe.settings.load import load
from pipe.settings.model import Action, Proxies, Settings, Step, Telling, Tests, Wish

__all__ = ["Action", "Proxies", "Settings", "Step", "Telling", "Tests", "Wish", "load"]
