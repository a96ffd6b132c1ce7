"""`ACTION: check`: check everything that a deploy depends on, without changing anything."""
