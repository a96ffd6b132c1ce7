"""A real cluster as the portal shows it, and recordings of it as judges of the verdicts."""
