"""The pipe against a real Kubernetes cluster: `make kubernetes`."""
