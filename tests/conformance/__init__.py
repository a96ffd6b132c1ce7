"""Tests of the sandbox against parts that nobody here wrote."""
