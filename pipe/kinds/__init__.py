"""The kinds of targets, each behind the same interface."""
