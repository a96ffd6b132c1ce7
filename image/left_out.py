"""What the image does without, each with its reason; everything not named here goes in.

A list of what to leave out, and not of what to take, so that the next import of a standard
module works without anybody remembering this file. tests/container proves what must work.
"""

STDLIB = {
    "__phello__": "a demonstration of frozen modules",
    "_pydatetime.py": "stands in for the C module, which is here",
    "_pydecimal.py": "stands in for the C module, which is here",
    "_pyio.py": "stands in for the C module, which is here",
    "_pyrepl": "the interactive prompt",
    "antigravity.py": "opens a web browser",
    "config-*": "for compiling extension modules",
    "curses": "draws on terminals; a pipe has none, and its library would have to come too",
    "dbm": "database files; their libraries would have to come too",
    "doctest.py": "for tests",
    "ensurepip": "installs pip from bundled wheels; nothing is installed into this image",
    "idlelib": "an editor",
    "lib2to3": "for converting Python 2",
    "pdb.py": "the debugger",
    "pydoc.py": "serves documentation, of which the image has none",
    "pydoc_data": "the language reference as text",
    "sitecustomize.py": "a distribution's hook for reporting crashes",
    "sqlite3": "the database library would have to come too",
    "test": "CPython's own tests",
    "this.py": "a poem",
    "tkinter": "windows",
    "turtle.py": "windows",
    "turtledemo": "windows",
    "unittest": "for tests",
    "venv": "copies an interpreter; one is enough",
    "wsgiref": "a web server for examples",
    "xmlrpc": "a protocol nothing here speaks",
}

EXTENSIONS = {
    "_ctypes_test": "CPython's own tests",
    "_curses*": "see curses",
    "_dbm": "see dbm",
    "_gdbm": "see dbm",
    "_sqlite3": "see sqlite3",
    "_test*": "CPython's own tests",
    "_tkinter": "see tkinter",
    "_xxtestfuzz": "CPython's own tests",
    "readline": "see _pyrepl",
    "xxlimited*": "an example for authors of extensions",
    "xxsubtype": "an example for authors of extensions",
}

PACKAGES = {
    "_yaml": "see yaml/_yaml",
    "bin": "command lines of the packages",
    "bitbucket_pipes_toolkit/test.py": "for tests of pipes, the only place that needs git",
    "boto3/data": "its resources, an interface that is not used",
    "boto3/examples": "documentation",
    "botocore/cacert.pem": "the certificates are in the image once, see assemble.py",
    "cerberus/benchmarks": "for tests",
    "cerberus/tests": "for tests",
    "charset_normalizer/cli": "a command line",
    "colorama/tests": "for tests",
    "dateutil/zoneinfo/*.tar.gz": "a second copy of the time zones",
    "git": "see bitbucket_pipes_toolkit/test.py",
    "gitdb": "see bitbucket_pipes_toolkit/test.py",
    "gitdb-*": "see bitbucket_pipes_toolkit/test.py",
    "gitpython-*": "see bitbucket_pipes_toolkit/test.py",
    "smmap": "see bitbucket_pipes_toolkit/test.py",
    "smmap-*": "see bitbucket_pipes_toolkit/test.py",
    "yaml/_yaml.*": "a fast reader of YAML, slower to load than the few lines we read",
    "*.dist-info/RECORD": "would name files that are left out",
    "*.dist-info/REQUESTED": "an installer's note",
    "*.dist-info/INSTALLER": "an installer's note",
}

AWS_SERVICES = ("ecr", "secretsmanager", "sts")
"""The only service models of botocore that go in; all of them would weigh 15 MB compressed."""
