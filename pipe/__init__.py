"""Deploys a container image to a nholuongut service from Bitbucket Pipelines."""

__version__ = "1.0.0"
