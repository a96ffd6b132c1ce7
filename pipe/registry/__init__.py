"""Container registries: verify that an image exists, its digest and its scan findings."""
