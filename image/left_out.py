"""What the image leaves out, and why; everything else goes in.

A list of exclusions, so that a new import of a standard module works without a change here.
tests/container checks what must work.
"""

STDLIB = {
    "__phello__": "a demonstration of frozen modules",
    "_pydatetime.py": "replaced by the C module",
    "_pydecimal.py": "replaced by the C module",
    "_pyio.py": "replaced by the C module",
    "_pyrepl": "the interactive prompt",
    "antigravity.py": "opens a web browser",
    "config-*": "for compiling extension modules",
    "curses": "draws on terminals, which a pipe does not have; needs another library",
    "dbm": "database files; needs other libraries",
    "doctest.py": "for tests",
    "ensurepip": "installs pip; nothing is installed into this image",
    "idlelib": "an editor",
    "lib2to3": "for converting Python 2",
    "pdb.py": "the debugger",
    "pydoc.py": "serves documentation, of which the image has none",
    "pydoc_data": "the language reference as text",
    "sitecustomize.py": "a distribution's hook for reporting crashes",
    "sqlite3": "needs the database library",
    "test": "CPython's own tests",
    "this.py": "a poem",
    "tkinter": "windows",
    "turtle.py": "windows",
    "turtledemo": "windows",
    "unittest": "for tests",
    "venv": "copies the interpreter",
    "wsgiref": "a web server for examples",
    "xmlrpc": "a protocol that is not used",
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
    "bin": "the packages' command lines",
    "bitbucket_pipes_toolkit/test.py": "for tests of pipes; the only importer of git",
    "boto3/data": "resources, an interface that is not used",
    "boto3/examples": "documentation",
    "botocore/cacert.pem": "the certificates are installed once, see assemble.py",
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
    "yaml/_yaml.*": "a fast YAML parser that takes longer to load than pipe.yml to parse",
    "*.dist-info/RECORD": "would list files that are left out",
    "*.dist-info/REQUESTED": "written by the installer",
    "*.dist-info/INSTALLER": "written by the installer",
}

APPLETS = {
    "acpid adjtimex devmem hwclock i2c* setkeycodes watchdog": "hardware",
    "blkdiscard blockdev fdisk findfs freeramdisk fsfreeze fstrim losetup lsscsi mdev": "disks",
    "mkdosfs mke2fs mkswap mount mt nbd-client partprobe swapoff swapon ubirename umount": "disks",
    "brctl dumpleases ifdown ifup nameif rdate tunctl udhcp* vconfig": "network configuration",
    "chroot nsenter nuke pivot_root resume run-init setpriv switch_root unshare": "other roots",
    "chvt cttyhack deallocvt dumpkmap getty loadfont loadkmap microcom openvt": "consoles",
    "cron* httpd klogd logread start-stop-daemon svc svok syslogd uevent": "services",
    "depmod insmod lsmod modinfo modprobe rmmod": "kernel modules",
    "dpkg dpkg-deb rpm rpm2cpio": "installing packages",
    "halt init linuxrc poweroff reboot": "starting and stopping a machine",
    "last login mkpasswd passwd su sulogin": "accounts, of which the image has none",
}
"""Busybox has them, but the image has no command of that name: they administer a machine."""

AWS_SERVICES = ("ecr", "secretsmanager", "sts")
"""The only service models of botocore in the image; all of them are 15 MB compressed."""
