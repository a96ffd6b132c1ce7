"""Kubernetes' own API over the world whose pods the portal shows."""
