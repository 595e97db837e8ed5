"""Brings the bars of a dataset to $BENCH_DATA from $BENCH_DATA_URL, and keeps them only if they are the pinned ones.

usage: python scripts/ci/fetch_snapshot.py DATASET

The address is a secret and is not printed. It serves a .tar.gz or .zip with DATASET/bars.parquet and, where the dataset
has a VIX, DATASET/vix.parquet. Without the address nothing is done: what needs no bars goes on without them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterable
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import yaml

SCHEME = "https"
MAX_BYTES = 200_000_000
"""Of the archive, packed and unpacked; the official bars have 5 million."""
SECONDS = 60
"""Without a byte from the server."""
FILES = ("bars.parquet", "vix.parquet")
BENCH = ".venv/bin/bench"


class Refused(Exception):
    """What was served, or where from, is not what is asked for."""


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to an encrypted address."""

    def redirect_request(self, request: Any, file: Any, code: int, message: str, headers: Any, address: str) -> Any:
        """The request for the new address; None, which makes it an error, where that is not encrypted."""
        if urlsplit(address).scheme != SCHEME:
            return None
        return super().redirect_request(request, file, code, message, headers, address)


def copy(source: IO[bytes], target: IO[bytes]) -> None:
    """Copy a stream; refuses one of more than `MAX_BYTES`."""
    left = MAX_BYTES
    while block := source.read(min(1 << 20, left + 1)):
        left -= len(block)
        if left < 0:
            raise Refused(f"more than {MAX_BYTES} bytes were served")
        target.write(block)


def download(address: str, target: IO[bytes]) -> None:
    """Write what the address serves to an open file; messages leave the address out."""
    if urlsplit(address).scheme != SCHEME:
        raise Refused(f"BENCH_DATA_URL is no {SCHEME} address")
    try:
        with urllib.request.build_opener(Redirects).open(address, timeout=SECONDS) as answer:
            copy(answer, target)
    except urllib.error.HTTPError as error:
        error.close()
        raise Refused(f"the server did not give the archive: status {error.code}") from None
    except (OSError, ValueError, HTTPException) as error:  # its own text may quote the address
        raise Refused(f"the server did not give the archive: {type(error).__name__}") from None


def require_small(sizes: Iterable[int]) -> None:
    """Refuses an archive that unpacks to more than `MAX_BYTES`."""
    if sum(sizes) > MAX_BYTES:
        raise Refused(f"the archive unpacks to more than {MAX_BYTES} bytes")


def unpack(archive: Path, folder: Path) -> None:
    """Unpack into a folder; nothing of the archive can lie outside it."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as files:
                require_small(item.file_size for item in files.infolist())
                files.extractall(folder)
        else:
            with tarfile.open(archive) as files:
                require_small(item.size for item in files.getmembers())
                files.extractall(folder, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise Refused(f"the archive cannot be unpacked: {error}") from error


def only_snapshot(unpacked: Path, folder: Path) -> None:
    """Copy the files of a snapshot, and nothing that lies beside them, to a new folder."""
    found = [name for name in FILES if (unpacked / name).is_file()]
    if FILES[0] not in found:
        raise Refused(f"the archive holds no {unpacked.name}/{FILES[0]}")
    folder.mkdir()
    for name in found:
        shutil.copyfile(unpacked / name, folder / name)


def bench(*arguments: str) -> str:
    """What a command of ours prints; its own message goes to the log, and its failure is a refusal."""
    done = subprocess.run([BENCH, *arguments], check=False, stdout=subprocess.PIPE, encoding="utf-8")
    if done.returncode:
        raise Refused(f"bench {' '.join(arguments[:3])} ended with {done.returncode}")
    return done.stdout


def require_pinned(dataset: str, folder: Path) -> None:
    """Refuses bars that are unsound, or that are not those of every split that `dataset.yaml` pins."""
    bench("data", "check", dataset, "--folder", str(folder))
    found = json.loads(bench("data", "identity", dataset, "--folder", str(folder), "--json"))
    pinned = yaml.safe_load(Path(f"datasets/{dataset}/dataset.yaml").read_text("utf-8")).get("identity") or {}
    if not pinned:
        raise Refused(f"datasets/{dataset}/dataset.yaml pins no identity")
    for split, identity in pinned.items():
        served = found.get(split, {}).get("identity", "not covered")
        if served != identity:
            raise Refused(f"{dataset} {split}: the identity is {served[:12]}, pinned is {identity[:12]}")


def fetch(dataset: str, address: str, bars: Path) -> None:
    """Bring a dataset's snapshot to `bars`; it appears there whole and checked, or not at all."""
    bars.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=bars, prefix=".fetch-") as scratch:
        archive, folder = Path(scratch, "archive"), Path(scratch, "snapshot")
        with archive.open("wb") as target:
            download(address, target)
        unpack(archive, Path(scratch, "unpacked"))
        only_snapshot(Path(scratch, "unpacked", dataset), folder)
        require_pinned(dataset, folder)
        shutil.rmtree(bars / dataset, ignore_errors=True)
        folder.rename(bars / dataset)


def main(dataset: str) -> None:
    """Bring the snapshot, or say why there is none."""
    address = os.environ.get("BENCH_DATA_URL", "").strip()
    if not address:
        sys.stdout.write(f"BENCH_DATA_URL is not set: {dataset} has no bars here\n")
        return
    try:
        fetch(dataset, address, Path(os.environ["BENCH_DATA"]))
    except Refused as refusal:
        sys.exit(f"refused: {refusal}")
    sys.stdout.write(f"{dataset}: the bars are the pinned ones\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
