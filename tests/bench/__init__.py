"""The pipe side by side with the vendor's command line, on the sandbox: `make bench`."""
