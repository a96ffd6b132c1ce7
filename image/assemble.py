"""Assemble the image's file system from the Python that runs this.

Usage: assemble.py SITE SOURCE ROOT
  SITE    folder filled by `pip install --target`
  SOURCE  the repository
  ROOT    folder to create, which becomes / of the image

Works on any Debian image with CPython: the interpreter reports where its parts are, and `ldd`
which shared libraries are needed. Every file gets the time SOURCE_DATE_EPOCH.
"""

import ast
import importlib.util
import marshal
import os
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
    """Create the file system below `root`."""
    make_folders(root)
    copy_interpreter(root)
    copy_packages(site, root / LIB / "site-packages")
    copy_pipe(source, root)
    replace_by_bytecode(root / LIB, root)
    add_certificates(root)
    add_busybox(root)
    shutil.copy(source / "image/printenv", root / "usr/bin/printenv")
    shutil.copy(UTC, make(root / UTC.parent.relative_to("/")))
    shutil.copytree(source / "image/etc", root / "etc", dirs_exist_ok=True)
    libraries = add_libraries(root)
    note_packages(root, [Path(sys.executable), find_busybox(), UTC, *libraries])
    set_times(root, int(os.environ.get("SOURCE_DATE_EPOCH", "0")))


def make_folders(root: Path) -> None:
    """Create Debian's layout, in which /bin, /lib and /sbin are links into /usr."""
    for name in ("bin", "lib", "sbin", "lib64"):
        make(root / "usr" / name)
        (root / name).symlink_to(f"usr/{name}")
    make(root / "root").chmod(0o700)
    make(root / "tmp").chmod(0o1777)
    make(root / "var")
    (root / "var/tmp").symlink_to("../tmp")


def copy_interpreter(root: Path) -> None:
    """Copy the interpreter to /usr/local; it finds its library relative to itself."""
    program = make(root / "usr/local/bin") / VERSION
    shutil.copy(Path(sys.executable).resolve(), program)
    for name in ("python3", "python"):
        (root / "usr/local/bin" / name).symlink_to(VERSION)
    stdlib = Path(sysconfig.get_path("stdlib"))
    extensions = [f"lib-dynload/{name}.*" for name in left_out.EXTENSIONS]
    installed = ["site-packages", "dist-packages"]
    copy_tree(stdlib, root / LIB, [*left_out.STDLIB, *extensions, *installed])


def copy_packages(site: Path, target: Path) -> None:
    """Copy the installed packages, with few of botocore's service models."""
    copy_tree(site, target, left_out.PACKAGES)
    for model in (target / "botocore/data").iterdir():
        if model.is_dir() and model.name not in left_out.AWS_SERVICES:
            shutil.rmtree(model)
    for file in target.glob("*.dist-info/METADATA"):
        # The rest is the project's page on PyPI.
        file.write_text(file.read_text("utf-8").partition("\n\n")[0] + "\n", "utf-8")
    # Debian's Python looks here, others in site-packages.
    (target.parent / "dist-packages").symlink_to(target.name)


def replace_by_bytecode(folder: Path, root: Path) -> None:
    """Replace sources by bytecode, so that each module is present once."""
    for source in list(folder.rglob("*.py")):
        docstrings = not left_out.DOCSTRINGS_READ.isdisjoint(source.relative_to(folder).parts)
        source.with_suffix(".pyc").write_bytes(bytecode(source, root, docstrings=docstrings))
        source.unlink()


def copy_pipe(source: Path, root: Path) -> None:
    """Copy the pipe and its documents."""
    copy_tree(source / "pipe", root / LIB / "site-packages/pipe", [])
    for name in ("pipe.yml", "README.md", "LICENSE"):
        shutil.copy(source / name, root / name)


def bytecode(source: Path, root: Path, *, docstrings: bool) -> bytes:
    """Compile to bytecode that is never checked against its source; the image does not change."""
    text = source.read_bytes()
    tree = ast.parse(text)
    if not docstrings:
        for node in ast.walk(tree):
            drop_docstring(node)
    code = compile(tree, f"/{source.relative_to(root)}", "exec", dont_inherit=True)
    # PEP 552: a hash of the source that is not checked.
    header = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little")
    return header + importlib.util.source_hash(text) + marshal.dumps(code)


def drop_docstring(node: ast.AST) -> None:
    """Remove a docstring; what follows keeps its lines.

    A dataclass keeps its own: without one it composes one, which takes longer than loading it.
    """
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return
    is_dataclass = isinstance(node, ast.ClassDef) and any(
        "dataclass" in ast.dump(decorator) for decorator in node.decorator_list
    )
    if is_dataclass or ast.get_docstring(node, clean=False) is None:
        return
    first = node.body.pop(0)
    if not node.body and not isinstance(node, ast.Module):
        node.body.append(ast.copy_location(ast.Pass(), first))


def add_certificates(root: Path) -> None:
    """Install certifi's bundle, pinned by the lock file, where OpenSSL and requests look for it."""
    bundled = root / LIB / "site-packages/certifi/cacert.pem"
    system = root / CERTIFICATES.lstrip("/")
    make(system.parent)
    bundled.rename(system)
    for place in (bundled, root / ssl.get_default_verify_paths().openssl_cafile.lstrip("/")):
        make(place.parent)
        place.symlink_to(CERTIFICATES)


def add_busybox(root: Path) -> None:
    """Install a shell and common tools, because deploy tests run with `sh -c`."""
    shutil.copy(find_busybox(), root / "usr/bin/busybox")
    unwanted = [pattern for patterns in left_out.APPLETS for pattern in patterns.split()]
    for applet in output("busybox", "--list").split():
        link = root / "usr/bin" / applet
        if not link.exists() and not any(fnmatchcase(applet, pattern) for pattern in unwanted):
            link.symlink_to("busybox")


def find_busybox() -> Path:
    """Return the path of busybox."""
    return Path(shutil.which("busybox") or sys.exit("assemble: busybox is not installed"))


def add_libraries(root: Path) -> list[Path]:
    """Copy the libraries that `ldd` reports for every program and extension in the image."""
    # The C library loads this one by name when a thread ends early.
    wanted = {"libgcc_s.so.1": find_library("libgcc_s.so.1")}
    for file in executables(root):
        wanted |= needed(file)
    folder = make(root / "usr/lib" / find_library("libc.so.6").parent.name)
    for name, path in sorted(wanted.items()):
        # Only the program loader has a fixed path.
        target = root / str(path).lstrip("/") if name.startswith("ld-") else folder / name
        make(target.parent)
        shutil.copy(path.resolve(), target)
        target.chmod(0o755)
    return list(wanted.values())


def note_packages(root: Path, files: list[Path]) -> None:
    """Record which Debian packages the files come from, where image scanners look."""
    shutil.copy("/etc/os-release", root / "etc")
    search = ["dpkg-query", "--search", *(str(file.resolve()) for file in files)]
    # The command fails if a file is from no package, which is the case for some.
    answer = subprocess.run(search, check=False, capture_output=True, text=True).stdout
    owners = {line.split(":")[0] for line in answer.splitlines() if ": /" in line}
    notes = make(root / "var/lib/dpkg/status.d")
    for package in owners:
        (notes / package).write_text(output("dpkg-query", "--status", package))


def executables(root: Path) -> Iterator[Path]:
    """Yield every ELF file."""
    for file in sorted(root.rglob("*")):
        if file.is_file() and not file.is_symlink() and file.open("rb").read(4) == b"\x7fELF":
            yield file


def needed(file: Path) -> dict[str, Path]:
    """Return the libraries in lines of ldd: `libz.so.1 => /lib/libz.so.1 (0x...)` or a path."""
    libraries = {}
    for line in output("ldd", str(file)).splitlines():
        words = line.replace("=>", " ").split()
        if "not found" in line:
            sys.exit(f"assemble: {file} needs {words[0]}, which is missing")
        paths = [word for word in words if word.startswith("/")]
        if paths:
            libraries[Path(words[0]).name] = Path(paths[-1])
    return libraries


def find_library(name: str) -> Path:
    """Return where this machine's loader finds a library."""
    for line in output("ldconfig", "-p").splitlines():
        if line.split()[:1] == [name]:
            return Path(line.split(" => ")[1])
    sys.exit(f"assemble: {name} is missing")


def copy_tree(source: Path, target: Path, without: Iterable[str]) -> None:
    """Copy everything that matches no pattern; patterns are relative to `source`."""
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
    """Set the modification time of everything, in seconds since the epoch."""
    for path in [root, *root.rglob("*")]:
        os.utime(path, (seconds, seconds), follow_symlinks=False)


def make(folder: Path) -> Path:
    """Create a folder and its parents; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def output(*command: str) -> str:
    """Run a command that must succeed; return its standard output."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
