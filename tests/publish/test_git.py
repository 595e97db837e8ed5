"""Files of a commit: what is exported, and what a commit or an archive must not do."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.publish.git import _unpack, address, common_commit, export, last_commit

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(root: Path) -> str:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "state")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    (folder / "results").mkdir(parents=True)
    (folder / "results" / "run.json").write_bytes(b"{}\r\n")
    (folder / "results" / "größe\n.json").write_bytes(bytes(range(256)))
    (folder / "notes.txt").write_text("notes")
    git(folder, "init", "--quiet", "--initial-branch", "main")
    return folder


def exported(root: Path, revision: str, top: str = "results/") -> dict[str, bytes]:
    target = root.parent / "exported"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    export(root, revision, lambda path: path.startswith(top), target)
    assert not any(path.is_symlink() for path in target.rglob("*"))
    return {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*") if path.is_file()}


def test_the_wanted_files_are_exported_to_the_byte(root: Path) -> None:
    first = commit(root)
    (root / "results" / "run.json").write_text("later")
    commit(root)
    assert exported(root, first) == {"results/run.json": b"{}\r\n", "results/größe\n.json": bytes(range(256))}
    assert exported(root, first, "nowhere/") == {}


def test_ends_of_lines_are_those_of_the_commit(root: Path) -> None:
    (root / "results" / "run.json").write_bytes(b"{}\n")
    revision = commit(root)
    git(root, "config", "core.autocrlf", "true")
    assert exported(root, revision)["results/run.json"] == b"{}\n"


def test_a_root_below_the_top_of_the_repository(root: Path) -> None:
    revision = commit(root)
    assert exported(root / "results", revision, "run") == {"run.json": b"{}\r\n"}


def test_links_of_a_commit_are_left_out(root: Path) -> None:
    (root / "results" / "link.json").symlink_to("/etc/passwd")
    (root / "results" / "up").symlink_to("../..")
    revision = commit(root)
    assert set(exported(root, revision)) == {"results/run.json", "results/größe\n.json"}


@pytest.mark.parametrize("where", [".gitattributes", "results/.gitattributes"])
def test_a_commit_cannot_hide_its_files(root: Path, where: str) -> None:
    (root / where).write_text("run.json export-ignore\n.gitattributes export-ignore\n")
    revision = commit(root)
    with pytest.raises(BenchError, match=r"hides results/.*: take `export-ignore` out of its \.gitattributes"):
        exported(root, revision)


def test_a_commit_that_is_not_there(root: Path) -> None:
    commit(root)
    with pytest.raises(BenchError, match="the files of commit 000000000000 cannot be listed"):
        exported(root, "0" * 40)
    with pytest.raises(BenchError, match="no commit `elsewhere`"):
        common_commit(root, "elsewhere")
    git(root, "checkout", "--quiet", "--orphan", "other")
    (root / "notes.txt").write_text("another beginning")
    commit(root)
    with pytest.raises(BenchError, match="`main` and this checkout have no commit in common"):
        common_commit(root, "main")


def test_without_git_it_is_one_line(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.fspath(root))
    with pytest.raises(BenchError, match="git cannot be run: No such file"):
        common_commit(root, "main")


def test_an_archive_writes_regular_files_below_its_folder_alone(tmp_path: Path) -> None:
    """Links, devices, absolute names and names that lead upward are passed over, wanted or not."""
    archive, target = tmp_path / "x.tar", tmp_path / "target"
    with tarfile.open(archive, "w") as members:
        for name in ("good/a.json", "../up.json", "good/../../up.json", str(tmp_path / "absolute.json")):
            member = tarfile.TarInfo(name)
            member.size = 2
            members.addfile(member, io.BytesIO(b"{}"))
        for name, kind in (("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("pipe", tarfile.FIFOTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "good/a.json" if kind == tarfile.LNKTYPE else "../.."
            members.addfile(member)
        member = tarfile.TarInfo("link/through.json")
        member.size = 2
        members.addfile(member, io.BytesIO(b"{}"))
    target.mkdir()
    names = _unpack(archive, lambda path: True, target)
    assert {"good/a.json", "link", "hard", "pipe"} <= names
    there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir()}
    assert there == {"x.tar", "target/good/a.json", "target/link/through.json"}


@pytest.mark.parametrize(
    ("remote", "told"),
    [
        ("https://github.com/someone/volmark.git", "https://github.com/someone/volmark"),
        ("https://me:secret@example.org:8443/a/b.git/", "https://example.org/a/b"),
        ("git@github.com:someone/volmark.git", "https://github.com/someone/volmark"),
        ("ssh://git@example.org/a/b", "https://example.org/a/b"),
        ("/srv/git/volmark.git", None),
        ("https://example.org/a}b", None),
    ],
)
def test_the_address_of_a_clone_is_one_that_others_reach(root, remote, told):
    assert address(root) is None
    git(root, "remote", "add", "origin", remote)
    assert address(root) == told


def test_the_last_commit_is_that_of_the_paths(root, tmp_path):
    assert last_commit(root) is None
    first = commit(root)
    (root / "notes.txt").write_text("more notes")
    second = commit(root)
    assert (last_commit(root), last_commit(root, "results"), last_commit(root, "none")) == (second, first, None)
    assert last_commit(tmp_path / "nowhere") is None
