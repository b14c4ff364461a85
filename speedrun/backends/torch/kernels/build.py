"""The compiled library of kernels: built at first use, then taken from the cache.

The source includes nothing of PyTorch and is bound by `ctypes`: `torch.utils.cpp_extension` would
cost twenty seconds of headers, need Ninja, and wait for ever for a process that was killed while
it held the build.
"""

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from speedrun.system import paths
from speedrun.system.watchdog import ending_hung_children

SOURCE = Path(__file__).with_name("cpu.cpp")
_TIMEOUT_S = 60
# OpenMP's functions are not linked: those of the runtime that PyTorch has loaded are found, so
# that both have the same threads.
_OPENMP = () if sys.platform == "darwin" else ("-fopenmp",)
_ROUNDING = ("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast")
_FLAGS = ("-std=c++17", "-O3", *_OPENMP, *_ROUNDING, "-fPIC")


class BuildError(Exception):
    """There is no library; the text is one line."""


@functools.cache
def library(source: Path = SOURCE) -> ctypes.CDLL:
    """The library, compiled for this processor; BuildError where that fails."""
    try:
        return ctypes.CDLL(str(compiled(source)))
    except OSError as error:
        raise BuildError(f"the compiled library does not load: {error}") from None


@functools.cache
def target(source: Path = SOURCE) -> Path:
    """File for the library of this source, compiler and processor; BuildError without compiler."""
    compiler, native = _compiler()
    # The macros tell the compiler's version and every instruction set of the processor.
    macros = _run([*compiler, native, "-dM", "-E", "-x", "c++", os.devnull])
    content = "\0".join((source.read_text(encoding="utf-8"), *compiler, *_FLAGS, macros))
    digest = hashlib.sha256(content.encode()).hexdigest()[:24]
    return paths.cache_dir() / "kernels" / f"{digest}.so"


def compiled(source: Path = SOURCE) -> Path:
    """The library's file; processes that build it at once each put the same in its place."""
    path = target(source)
    if path.exists():
        return path
    compiler, native = _compiler()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            object_file, made = Path(folder, "kernels.o"), Path(folder, "kernels.so")
            _run([*compiler, native, *_FLAGS, "-c", str(source), "-o", str(object_file)])
            now = () if sys.platform != "linux" else ("-Wl,-z,now",)  # what is missing is said
            _run([*compiler, "-shared", str(object_file), *now, "-o", str(made)])
            made.replace(path)
    except OSError as error:
        raise BuildError(f"{path} cannot be written ({error.strerror})") from None
    return path


def _compiler() -> tuple[list[str], str]:
    """Command of the C++ compiler, and its flag for this processor's own instructions."""
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++", "c++"]
    for name in names:
        command = [name] if shutil.which(name) else shlex.split(name)  # a path of Windows is one
        if command and shutil.which(command[0]):
            x86 = platform.machine().lower() in ("x86_64", "amd64", "i686", "x86")
            return command, "-march=native" if x86 else "-mcpu=native"
    raise BuildError(f"no C++ compiler: {' or '.join(names)} is not there")


def _run(command: list[str]) -> str:
    """Output of a compiler; BuildError with its first line that tells an error."""
    try:
        with ending_hung_children():
            done = subprocess.run(
                command, capture_output=True, encoding="utf-8", errors="replace", timeout=_TIMEOUT_S
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{command[0]} fails: {str(error)[:200]}") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        first = next((line for line in lines if "error" in line), lines[0])
        raise BuildError(f"{command[0]} fails: {first.strip()[:200]}")
    return done.stdout
