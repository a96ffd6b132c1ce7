"""Tests of the sandbox against the vendor's own models and command line."""
