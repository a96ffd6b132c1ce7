"""Puts the image's whole file system together from the Python that runs this.

Usage: assemble.py SITE SOURCE ROOT
  SITE    folder that `pip install --target` filled
  SOURCE  the repository
  ROOT    folder to make; becomes / of the image

Works on any image with Debian and CPython: the interpreter is asked where its parts are,
shared libraries are those that `ldd` names. Every file gets the time SOURCE_DATE_EPOCH.
"""

import compileall
import os
import py_compile
import shutil
import ssl
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import left_out

VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
LIB = Path("usr/local/lib") / VERSION
UTC = Path("/usr/share/zoneinfo/UTC")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def main(site: Path, source: Path, root: Path) -> None:
    make_folders(root)
    copy_interpreter(root)
    copy_packages(site, root / LIB / "site-packages")
    compile_without_source(root / LIB, root)
    copy_pipe(source, root)
    add_certificates(root)
    add_busybox(root)
    shutil.copy(source / "image/printenv", root / "usr/bin/printenv")
    shutil.copy(UTC, make(root / UTC.parent.relative_to("/")))
    shutil.copytree(source / "image/etc", root / "etc", dirs_exist_ok=True)
    libraries = add_libraries(root)
    note_packages(root, [Path(sys.executable), find_busybox(), UTC, *libraries])
    set_times(root, int(os.environ.get("SOURCE_DATE_EPOCH", "0")))


def make_folders(root: Path) -> None:
    """Debian's layout, in which /bin, /lib and /sbin are links into /usr."""
    for name in ("bin", "lib", "sbin", "lib64"):
        make(root / "usr" / name)
        (root / name).symlink_to(f"usr/{name}")
    make(root / "root").chmod(0o700)
    make(root / "tmp").chmod(0o1777)
    make(root / "var")
    (root / "var/tmp").symlink_to("../tmp")


def copy_interpreter(root: Path) -> None:
    """The interpreter moves to /usr/local: it looks for its library relative to itself."""
    program = make(root / "usr/local/bin") / VERSION
    shutil.copy(Path(sys.executable).resolve(), program)
    for name in ("python3", "python"):
        (root / "usr/local/bin" / name).symlink_to(VERSION)
    stdlib = Path(sysconfig.get_path("stdlib"))
    extensions = [f"lib-dynload/{name}.*" for name in left_out.EXTENSIONS]
    installed = ["site-packages", "dist-packages"]
    copy_tree(stdlib, root / LIB, [*left_out.STDLIB, *extensions, *installed])


def copy_packages(site: Path, target: Path) -> None:
    copy_tree(site, target, left_out.PACKAGES)
    for model in (target / "botocore/data").iterdir():
        if model.is_dir() and model.name not in left_out.AWS_SERVICES:
            shutil.rmtree(model)
    # Debian's Python looks here, everybody else's in site-packages.
    (target.parent / "dist-packages").symlink_to(target.name)


def compile_without_source(folder: Path, root: Path) -> None:
    """Bytecode beside where its source would be, and no source: each module is there once."""
    if not compile_all(folder, root, legacy=True):
        sys.exit("assemble: a module does not compile")
    for file in folder.rglob("*.py"):
        file.unlink()


def copy_pipe(source: Path, root: Path) -> None:
    """The pipe keeps its source, so that a traceback from a user shows the lines."""
    target = root / LIB / "site-packages/pipe"
    copy_tree(source / "pipe", target, [])
    if not compile_all(target, root, legacy=False):
        sys.exit("assemble: the pipe does not compile")
    for name in ("pipe.yml", "README.md", "LICENSE"):
        shutil.copy(source / name, root / name)


def compile_all(folder: Path, root: Path, *, legacy: bool) -> bool:
    """Never checked against a source: the image is read-only in spirit, often in fact."""
    return compileall.compile_dir(
        folder,
        quiet=1,
        maxlevels=20,
        legacy=legacy,
        stripdir=root,
        prependdir="/",
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def add_certificates(root: Path) -> None:
    """One bundle, certifi's, which the lock file pins, where OpenSSL and requests look for it."""
    bundled = root / LIB / "site-packages/certifi/cacert.pem"
    system = root / CERTIFICATES.lstrip("/")
    make(system.parent)
    bundled.rename(system)
    for place in (bundled, root / ssl.get_default_verify_paths().openssl_cafile.lstrip("/")):
        make(place.parent)
        place.symlink_to(CERTIFICATES)


def add_busybox(root: Path) -> None:
    """A shell and the usual small tools, because tests run with `sh -c`."""
    shutil.copy(find_busybox(), root / "usr/bin/busybox")
    for applet in output("busybox", "--list").split():
        link = root / "usr/bin" / applet
        if not link.exists():
            link.symlink_to("busybox")


def find_busybox() -> Path:
    return Path(shutil.which("busybox") or sys.exit("assemble: no busybox here"))


def add_libraries(root: Path) -> list[Path]:
    """What `ldd` says every program and extension in the image needs, where the loader looks."""
    # Threads that end early have the C library load this one by name.
    wanted = {"libgcc_s.so.1": find_library("libgcc_s.so.1")}
    for file in executables(root):
        wanted |= needed(file)
    folder = make(root / "usr/lib" / find_library("libc.so.6").parent.name)
    for name, path in sorted(wanted.items()):
        # The program loader alone has a fixed address, all else goes into the default folder.
        target = root / str(path).lstrip("/") if name.startswith("ld-") else folder / name
        make(target.parent)
        shutil.copy(path.resolve(), target)
        target.chmod(0o755)
    return list(wanted.values())


def note_packages(root: Path, files: list[Path]) -> None:
    """Which Debian packages the files are from, where scanners of images look for that."""
    shutil.copy("/etc/os-release", root / "etc")
    asked = ["dpkg-query", "--search", *(str(file.resolve()) for file in files)]
    # Not every file is from a package, which the command takes for a failure.
    answer = subprocess.run(asked, check=False, capture_output=True, text=True).stdout
    owners = {line.split(":")[0] for line in answer.splitlines() if ": /" in line}
    notes = make(root / "var/lib/dpkg/status.d")
    for package in owners:
        (notes / package).write_text(output("dpkg-query", "--status", package))


def executables(root: Path) -> Iterator[Path]:
    for file in sorted(root.rglob("*")):
        if file.is_file() and not file.is_symlink() and file.open("rb").read(4) == b"\x7fELF":
            yield file


def needed(file: Path) -> dict[str, Path]:
    """Lines of ldd: `libz.so.1 => /lib/libz.so.1 (0x...)`, and the loader's path alone."""
    found = {}
    for line in output("ldd", str(file)).splitlines():
        words = line.replace("=>", " ").split()
        if "not found" in line:
            sys.exit(f"assemble: {file} needs {words[0]}, which is not here")
        paths = [word for word in words if word.startswith("/")]
        if paths:
            found[Path(words[0]).name] = Path(paths[-1])
    return found


def find_library(name: str) -> Path:
    """Where the loader of this machine finds a library."""
    for line in output("ldconfig", "-p").splitlines():
        if line.split()[:1] == [name]:
            return Path(line.split(" => ")[1])
    sys.exit(f"assemble: {name} is not here")


def copy_tree(source: Path, target: Path, without: Iterable[str]) -> None:
    """Copy what no pattern names; patterns are relative to `source`."""
    patterns = [*without, "__pycache__", "*/__pycache__", "*.pyi", "*/py.typed"]

    def unwanted(folder: str, names: list[str]) -> set[str]:
        inside = Path(folder).relative_to(source)
        return {
            name
            for name in names
            if any(fnmatchcase(str(inside / name), pattern) for pattern in patterns)
        }

    shutil.copytree(source, target, ignore=unwanted, dirs_exist_ok=True)


def set_times(root: Path, seconds: int) -> None:
    for path in [root, *root.rglob("*")]:
        os.utime(path, (seconds, seconds), follow_symlinks=False)


def make(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
