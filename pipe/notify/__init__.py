"""Notifications: Slack and Code Insights, sent in the background, never deciding an outcome."""
