"""The secrets that the sandbox's AWS issues, so that tests know what must not be printed."""

SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+sandbox/handed/out=="
SESSION_TOKEN = "FwoGZXIvYXdzEBYaDsandbox/session+token//for/the+role=="
CONSOLE_TOKEN = "VCQgs5qZZt3Q6fn8Tr5XsandboxConsoleSignIn"
CLUSTER_SIGNATURE = "kUb3sIgNaTuReSandboxClusterToken-0123456789_abcdefghij"
"""The last part of every token for Kubernetes, which is a secret of its own."""
