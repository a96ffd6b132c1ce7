"""Slack and Code Insights messages, sent in the background; they never decide an outcome."""
