"""The secrets that the sandbox's AWS hands out, so that tests know what must not be seen."""

SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+sandbox/handed/out=="
SESSION_TOKEN = "FwoGZXIvYXdzEBYaDsandbox/session+token//for/the+role=="
