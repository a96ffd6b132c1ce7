"""Slack and Code Insights messages, sent in the background; they never decide an outcome."""

SECONDS = 5.0
"""How long all messages of a run together may delay its end."""
