"""`ACTION: check`: everything a deploy depends on, looked at without changing anything."""
