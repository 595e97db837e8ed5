"""The packages of a worker: the harness's, or those that a `requirements.txt` in the entry's folder asks for.

Such an environment is a folder of packages in the user's cache, installed by `uv` for the Python that runs the worker:
the requirements, NumPy (which the plugin modules need) and nothing of ours. Only wheels are installed, so no code of
a stranger runs before the worker does, and the installer reads a file of ours, written from what was understood of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.files import write_atomic
from bench.run.failure import EntryFailure
from bench.run.sandbox import interpreter
from bench.store import FailureKind

REQUIREMENTS = "requirements.txt"
NUMPY = "numpy>=2.0"
KIND: FailureKind = "environment"
HASH = re.compile(r"\s--hash=sha256:[0-9a-f]{64}(?=\s|$)")
PASSED_ON = re.compile(
    r"PATH|HOME|XDG_(CACHE|CONFIG)_HOME|(UV|PIP)_\w+|SSL_CERT_(FILE|DIR)|((HTTPS?|ALL|NO)_PROXY)", re.IGNORECASE
)
"""Variables that the installer gets: where it keeps things, which index it asks, and how it gets there."""
OURS = ("numpy", "scipy", "arch", "statsmodels", "torch")
"""The packages of the harness whose versions a run record names."""


@dataclass(frozen=True)
class Environment:
    """Folders of packages for the import path of a worker, and the versions that its run record names."""

    packages: tuple[str, ...]
    versions: dict[str, str]


def environment_of(files: Mapping[str, bytes], seconds: float) -> Environment:
    """Returns the environment of an entry with these files: its own, made where the cache lacks it, or the harness's.

    Raises `EntryFailure` where it cannot be made within so many seconds, with what the installer said.
    """
    requirements = files.get(REQUIREMENTS)
    return _ours() if requirements is None else _own(requirements.decode(errors="replace"), seconds)


def packages_of(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Folders of packages that an entry with these files may import, as far as they have been made."""
    requirements = files.get(REQUIREMENTS)
    if requirements is None:
        return _ours().packages
    return (str(cache_folder() / _key(requirements.decode(errors="replace"))),)


@cache
def _ours() -> Environment:
    versions = {"python": platform.python_version()}
    for name in OURS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    packages = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    return Environment(tuple(packages), versions)


def _own(content: str, seconds: float) -> Environment:
    lines = understood(content)
    place = cache_folder() / _key(content)
    if not place.is_dir():
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not place.is_dir():  # nobody else has made it meanwhile
                part = place.with_suffix(".part")  # under a name of its own until it is whole
                shutil.rmtree(part, ignore_errors=True)
                ours = place.with_suffix(".txt")
                write_atomic(ours, "".join(f"{line}\n" for line in lines).encode())
                _install(ours, part, seconds)
                part.rename(place)
    installed = importlib.metadata.distributions(path=[str(place)])
    versions = {found.metadata["Name"].lower(): found.version for found in installed}
    return Environment((str(place),), {"python": platform.python_version(), **dict(sorted(versions.items()))})


def understood(content: str) -> list[str]:
    r"""Returns the requirements of a file, one a line: names of packages, versions, and sha256 hashes, nothing else.

    Raises `EntryFailure` for any other line: an option, an address, a path, a variable.

    >>> understood("# trees\nLightGBM == 4.6.0  # pinned\n")
    ['lightgbm==4.6.0']
    """
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    lines, before = [], ""
    for number, raw in enumerate(content.splitlines(), start=1):
        line = before + re.sub(r"(^|\s)#.*", "", raw).strip()
        before = ""
        if line.endswith("\\"):  # its hashes follow
            before = f"{line[:-1]} "
            continue
        if not line:
            continue
        try:
            wanted = Requirement(HASH.sub("", line))
        except InvalidRequirement:
            wanted = None
        if wanted is None or wanted.url is not None or "$" in line:
            raise EntryFailure(
                KIND, f"{REQUIREMENTS}, line {number}: only names and versions of packages are read: {line}"
            )
        wanted.name = canonicalize_name(wanted.name)  # that of no file: NAME.whl is the package NAME-whl
        lines.append(f"{wanted}{''.join(HASH.findall(line))}")
    if before.strip():
        raise EntryFailure(KIND, f"{REQUIREMENTS}: ends in the middle of a line: {before}")
    return lines


def unpinned(content: str) -> list[str]:
    r"""The requirements of a file that leave open which version is meant; `EntryFailure` where one is not understood.

    >>> unpinned("scikit-learn\nscipy>=1.5\nnumpy==2.0.1\ntorch==2.*\n")
    ['scikit-learn', 'scipy>=1.5', 'torch==2.*']
    """
    from packaging.requirements import Requirement

    lines = [HASH.sub("", line) for line in understood(content)]
    return [line for line in lines if not any(
        each.operator in ("==", "===") and not each.version.endswith(".*") for each in Requirement(line).specifier
    )]  # fmt: skip


def cache_folder() -> Path:
    """Where environments are kept: below `XDG_CACHE_HOME`, or `~/.cache`. It may be removed at any time."""
    top = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(top) / "volmark" / "environments"


def _key(content: str) -> str:
    """What an environment depends on: the requirements, the Python and the platform that wheels are chosen for."""
    parts = [content, NUMPY, platform.python_implementation(), platform.python_version(), sysconfig.get_platform()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _install(requirements: Path, target: Path, seconds: float) -> None:
    """Install requirements and NumPy into a folder that only then is there."""
    environment = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
    command = [
        _uv(), "pip", "install", "--target", str(target), "--python", interpreter(), "--no-build", "--compile-bytecode",
        "--no-progress", "--color", "never", "--requirements", str(requirements.resolve()), NUMPY,
    ]  # fmt: skip
    try:
        ended = subprocess.run(
            command, cwd=target.parent, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise EntryFailure(KIND, f"{REQUIREMENTS}: installing it took longer than {seconds:g} s") from error
    if ended.returncode:
        raise EntryFailure(KIND, f"{REQUIREMENTS} cannot be installed: {_complaint(ended.stderr)}")


def _uv() -> str:
    """The installer: that of the Python package, or one on the PATH."""
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise EntryFailure(KIND, f"{REQUIREMENTS} needs uv, which is not installed: pip install uv")
    return found


def _complaint(said: str) -> str:
    """What the installer said last: from `error:` on, in one line."""
    words = " ".join(said.split())
    return words[max(0, words.find("error:")) :].removeprefix("error:").strip()[:400] or "uv did not say why"
