"""`make bench`: the pipe compared with the vendor's command line, on the sandbox."""
