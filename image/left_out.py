"""What the image leaves out, and why; everything else goes in.

Left out is also the text of every module, including docstrings; see assemble.py.

A list of exclusions, so that a new import of a standard module works without a change here.
tests/container checks what must work.
"""

_ENCODINGS = {
    "big5* cp932 cp949 cp950 euc_* gb* hz iso2022_* johab shift_*": "need 0.4 MB of extensions",
    "cp0* cp[2-8]* cp10* cp11* hp_* koi8_t kz1048 mac_* palmos ptcp154 tis_620": "machines of old",
}

STDLIB = {
    "__hello__.py": "a demonstration of frozen modules",
    "__phello__": "a demonstration of frozen modules",
    "_aix_support.py": "another operating system",
    "_android_support.py": "another operating system",
    "_apple_support.py": "another operating system",
    "_ios_support.py": "another operating system",
    "_osx_support.py": "another operating system",
    "_pydatetime.py": "replaced by the C module",
    "_pyio.py": "replaced by the C module",
    "_pyrepl": "the interactive prompt",
    "antigravity.py": "opens a web browser",
    "asyncio": "for servers and clients of many connections; the pipe uses threads",
    "bdb.py": "see pdb",
    "bz2.py": "a compression that is not used; needs another library",
    "cProfile.py": "a profiler",
    "cmd.py": "see _pyrepl",
    "code.py": "see _pyrepl",
    "codeop.py": "see _pyrepl",
    "compileall.py": "everything is compiled already",
    "config-*": "for compiling extension modules",
    "curses": "draws on terminals, which a pipe does not have; needs another library",
    "dbm": "database files; needs other libraries",
    "doctest.py": "for tests",
    **{
        f"encodings/{name}.py": reason
        for names, reason in _ENCODINGS.items()
        for name in names.split()
    },
    "ensurepip": "installs pip; nothing is installed into this image",
    "ftplib.py": "a protocol that is not used",
    "idlelib": "an editor",
    "imaplib.py": "a protocol that is not used",
    "lib2to3": "for converting Python 2",
    "lzma.py": "a compression that is not used; needs another library",
    "mailbox.py": "files of mail programs",
    "modulefinder.py": "for tools that package programs",
    **{
        f"multiprocessing/{name}.py": "boto3 imports the managers; nothing starts interpreters"
        for name in (
            *("forkserver", "heap", "popen_*", "queues", "resource_sharer"),
            *("resource_tracker", "shared_memory", "sharedctypes", "spawn", "synchronize"),
        )
    },
    "multiprocessing/dummy": "see above",
    "optparse.py": "the predecessor of argparse",
    "pdb.py": "the debugger",
    "pickletools.py": "takes pickles apart",
    "plistlib.py": "another operating system",
    "poplib.py": "a protocol that is not used",
    "profile.py": "a profiler",
    "pstats.py": "a profiler",
    "py_compile.py": "everything is compiled already",
    "pyclbr.py": "for editors",
    "pydoc.py": "serves documentation, of which the image has none",
    "pydoc_data": "the language reference as text",
    "rlcompleter.py": "see _pyrepl",
    "sitecustomize.py": "a distribution's hook for reporting crashes",
    "smtplib.py": "a protocol that is not used",
    "sqlite3": "needs the database library",
    "symtable.py": "for tools that read programs",
    "tabnanny.py": "for tools that read programs",
    "test": "CPython's own tests",
    "this.py": "a poem",
    "timeit.py": "a profiler",
    "tkinter": "windows",
    "trace.py": "a profiler",
    "turtle.py": "windows",
    "turtledemo": "windows",
    "unittest": "for tests",
    "venv": "copies the interpreter",
    "wave.py": "sounds",
    "webbrowser.py": "opens a web browser",
    "wsgiref": "a web server for examples",
    "xml/dom": "a way to read XML that is not used",
    "xml/sax": "a way to read XML that is not used",
    "xmlrpc": "a protocol that is not used",
    "zipapp.py": "for tools that package programs",
}

EXTENSIONS = {
    "_asyncio": "see asyncio",
    "_bz2": "see bz2",
    "_codecs_*": "see the encodings",
    "_ctypes_test": "CPython's own tests",
    "_curses*": "see curses",
    "_dbm": "see dbm",
    "_decimal": "the module in Python is a quarter of the size, and enough for JSON from AWS",
    "_gdbm": "see dbm",
    "_interp*": "further interpreters in one process",
    "_lsprof": "see cProfile",
    "_lzma": "see lzma",
    "_multibytecodec": "see the encodings",
    "_posixshmem": "see multiprocessing",
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
    "boto3/dynamodb": "for an interface that is not used",
    "boto3/ec2": "for an interface that is not used",
    "boto3/examples": "documentation",
    "boto3/s3": "for files in S3",
    "botocore/data/*/*/examples-*.json": "documentation",
    "botocore/cacert.pem": "the certificates are installed once, see assemble.py",
    "cerberus/benchmarks": "for tests",
    "cerberus/tests": "for tests",
    "charset_normalizer/*.so": "the modules in Python are a third of the size, and not used",
    "charset_normalizer/cli": "a command line",
    "colorama/tests": "for tests",
    "dateutil/easter.py": "for calendars",
    "dateutil/rrule.py": "for calendars",
    "dateutil/zoneinfo/*.tar.gz": "a second copy of the time zones",
    "git": "see bitbucket_pipes_toolkit/test.py",
    "gitdb": "see bitbucket_pipes_toolkit/test.py",
    "gitdb-*": "see bitbucket_pipes_toolkit/test.py",
    "gitpython-*": "see bitbucket_pipes_toolkit/test.py",
    "smmap": "see bitbucket_pipes_toolkit/test.py",
    "s3transfer/crt.py": "needs a library that is not installed",
    "s3transfer/processpool.py": "for files in S3",
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

DOCSTRINGS_READ = frozenset({"cerberus"})
"""The only packages whose docstrings are kept: its validator reads its rules from them."""

AWS_SERVICES = ("ecr", "secretsmanager", "sts")
"""The only service models of botocore in the image; all of them are 15 MB compressed."""
