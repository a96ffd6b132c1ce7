"""The routes of the portal, by noun."""
