"""The scripts that the workflows call, on throw-away repositories: installs, downloads and other programs are stubs."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import ROOT

# ---- a clone with stubs -------------------------------------------------------------------------------------------

# Records its arguments; answers what lies in $STUBS under the name of the command.
STUB = """#!/bin/sh
echo "$(basename "$0") $*" >> "$STUBS/calls"
key=$1; [ "$1" = data ] && key=$1-$2
[ -f "$STUBS/$key.out" ] && cat "$STUBS/$key.out"
[ -f "$STUBS/$key.err" ] && cat "$STUBS/$key.err" >&2
[ -f "$STUBS/$key.code" ] && exit "$(cat "$STUBS/$key.code")"
exit 0
"""
ROW = {"version": 1, "class": "Model", "description": "made up", "tasks": ["next-day"], "reads": ["bars"]}
FAMILY = {"authors": [{"name": "A. Nobody"}], "licence": "MIT", "description": "made up", "training_data": "none"}


class Clone:
    """A throw-away git repository with our scripts, two families, committed results, and a stub for each program."""

    def __init__(self, root: Path) -> None:
        self.root, self.stubs, self.remote = root / "clone", root / "stubs", root / "remote"
        self.stubs.mkdir()
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", self.remote], check=True)
        subprocess.run(["git", "init", "-q", "-b", "main", self.root], check=True)
        self.env = {
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            "HOME": str(root),
            "STUBS": str(self.stubs),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GITHUB_TOKEN": "not-a-token",
            "GITHUB_REF_NAME": "main",
        }
        shutil.copytree(ROOT / "scripts/ci", self.root / "scripts/ci", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, self.root)
        self.write("scripts/readme.py", "open('readme-was-made', 'w').close()\n")
        self.write(".gitignore", "/.venv/\n/bin/\n/scratch/\n__pycache__/\nbars.parquet\nreadme-was-made\n")
        self.program(".venv/bin/bench", STUB)
        self.program("bin/bwrap", "#!/bin/sh\nexit 0\n")
        self.program(".venv/bin/python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        for stamp in (".ready", ".ready-networks"):
            self.write(f".venv/{stamp}", "")
        for name in ("one", "two"):
            self.add_family(name, f"{name}-a", f"{name}-b")
        self.write("README.md", "# A benchmark\n")
        self.write(
            "datasets/us21/dataset.yaml", "source: {kind: snapshot}\nidentity: {official: abc, development: def}\n"
        )
        self.write("datasets/indices/dataset.yaml", "source: {kind: arch}\n")
        self.write("results/us21/official/LEADERBOARD.md", "a board\n")
        self.write("results/us21/development/LEADERBOARD.md", "a board\n")
        self.write("results/indices/official/LEADERBOARD.md", "a board\n")
        self.git("remote", "add", "origin", str(self.remote))
        self.commit()
        self.git("push", "-q", "origin", "main")

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def program(self, name: str, text: str) -> None:
        path = self.write(name, text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def add_family(self, family: str, *rows: str, **changes: Any) -> None:
        entries = [{"name": name, **ROW, **changes.get(name.replace("-", "_"), {})} for name in rows]
        self.write(f"submissions/{family}/submission.yaml", yaml.safe_dump({**FAMILY, "entries": entries}))
        self.write(f"submissions/{family}/model.py", "class Model: ...\n")

    def answers(self, command: str, out: str = "", code: int = 0, err: str = "") -> None:
        for ending, text in {"out": out, "err": err, "code": str(code)}.items():
            (self.stubs / f"{command}.{ending}").write_text(text)

    @property
    def calls(self) -> list[str]:
        path = self.stubs / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def __call__(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.root, env=self.env | env, check=False, capture_output=True, text=True, timeout=60
        )

    def git(self, *arguments: str) -> str:
        done = self("git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "-q", "-m", "a change")

    def changed(self, base: str = "HEAD^1") -> list[str]:
        done = self(".venv/bin/python", "scripts/ci/changed_entries.py", base)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def load(name: str) -> ModuleType:
    """One of the scripts, imported."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"scripts/ci/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- changed entries ----------------------------------------------------------------------------------------------


def test_changed_rows_changed_code_and_new_families_are_the_changed_entries(clone):
    clone.add_family("one", "one-a", "one-b", one_b={"refit": 5})
    clone.write("submissions/two/README.md", "words\n")
    clone.write("README.md", "other words\n")
    clone.commit()
    assert clone.changed() == ["one-b"]
    clone.add_family("three", "three-a", "three-s")
    clone.write("submissions/two/helper.py", "x = 1\n")
    assert clone.changed("HEAD") == ["three-a", "three-s", "two-a", "two-b"], "not committed yet, but there"
    clone.commit()
    clone.write("submissions/three/model.py", "class Model: pass\n")
    clone.commit()
    assert clone.changed() == ["three-a", "three-s"], "of a family whose code changed, every row"


def test_a_family_that_cannot_be_read_is_its_folder_and_a_removed_one_is_nothing(clone):
    clone.write("submissions/one/submission.yaml", "entries: [\n")
    shutil.rmtree(clone.root / "submissions/two")
    clone.add_family("zz", "one-a")
    clone.commit()
    assert clone.changed() == ["submissions/one", "one-a"]


def test_a_taken_name_is_the_folder(clone):
    clone.add_family("zz", "one-a")
    clone.commit()
    assert clone.changed() == ["submissions/zz"]


def test_commits_of_the_base_after_the_fork_are_not_changes(clone):
    clone.git("checkout", "-q", "-b", "request")
    clone.add_family("mine", "mine-a")
    clone.commit()
    clone.git("checkout", "-q", "main")
    clone.write("submissions/two/model.py", "class Model: pass\n")
    clone.commit()
    clone.git("checkout", "-q", "request")
    assert clone.changed("main") == ["mine-a"]


# ---- what runs on a request ---------------------------------------------------------------------------------------


def test_the_changed_entries_are_checked_and_what_is_said_is_kept(clone):
    clone.write("submissions/one/model.py", "class Model: pass\n")
    clone.commit()
    clone.answers("check", out="one-a: shapes are wrong\n", code=1)
    done = clone("make", "check-entries", BASE="HEAD^1")
    assert done.returncode != 0
    assert clone.calls == ["bench check one-a one-b"]
    assert (clone.root / "scratch/request/check.txt").read_text() == "one-a: shapes are wrong\n"
    clone.answers("check", out="all well\n")
    assert clone("make", "check-entries", BASE="HEAD^1").returncode == 0


def test_where_no_entry_changed_none_is_checked_or_run(clone):
    for target in ("check-entries", "preview"):
        done = clone("make", target, BASE="HEAD")
        assert done.returncode == 0, done.stderr
        assert "no entry" in done.stdout
    assert clone.calls == []


def test_a_base_that_is_not_there_fails(clone):
    for target in ("check-entries", "preview"):
        done = clone("make", target, BASE="nowhere")
        assert done.returncode != 0
        assert "no commit `nowhere`" in done.stderr and "Traceback" not in done.stderr


def test_the_verdict_of_verify_is_the_outcome(clone):
    clone.answers("verify", out="results/x: gone\n", code=1)
    assert clone("make", "verify", BASE="HEAD").returncode != 0
    assert clone.calls == ["bench verify --base HEAD"]
    assert (clone.root / "scratch/request/verify.txt").read_text() == "results/x: gone\n"


def test_the_preview_runs_the_changed_entries_beside_a_copy_of_the_results(clone):
    clone.write("submissions/one/model.py", "class Model: pass\n")
    clone.write("submissions/two/submission.yaml", "entries: [\n")
    clone.commit()
    clone.answers("run", code=1, err="failed: one-a\n")
    clone.answers("board", out="| a board |\n")
    done = clone("make", "preview", BASE="HEAD^1")
    assert done.returncode == 0, done.stderr
    chosen = "--results scratch/request-results"
    assert clone.calls == [
        f"bench run one-a one-b --task next-day --dataset indices {chosen}",
        f"bench board --dataset indices {chosen}",
        f"bench run one-a one-b --task next-day --dataset simulated {chosen}",
        f"bench board --dataset simulated {chosen}",
    ]
    assert (clone.root / "scratch/request-results/indices/official/LEADERBOARD.md").is_file()
    expected = "changed entries: one-a, one-b\n\n| a board |\n\n| a board |\n"
    assert (clone.root / "scratch/request/board.txt").read_text() == expected
    assert clone.git("status", "--porcelain") == ""


def test_a_preview_that_cannot_be_made_says_why(clone):
    clone.write("submissions/one/model.py", "class Model: pass\n")
    clone.answers("run", code=2, err="error: no entry\n")
    assert clone("make", "preview", BASE="HEAD").returncode == 0
    assert "indices: no preview: error: no entry" in (clone.root / "scratch/request/board.txt").read_text()


# ---- the comment --------------------------------------------------------------------------------------------------

GH = """#!/bin/sh
echo "$*" >> "$STUBS/gh-calls"
case "$*" in
    *" --input -") cat > "$STUBS/body" ;;
    *"/runs/77/artifacts") cat "$STUBS/artifacts" ;;
    *"/pulls/"*) cat "$STUBS/request" ;;
    *"/zip") cat "$STUBS/zip" ;;
    *"--paginate"*) cat "$STUBS/comments" ;;
    *) exit 1 ;;
esac
"""
HEAD = "0123456789abcdef0123456789abcdef01234567"


class Commenting:
    """`post_comment.py` with a stub in the place of `gh`."""

    def __init__(self, clone: Clone) -> None:
        self.clone = clone
        clone.program("bin/gh", GH)
        self.artifacts((1, "entry-request-12", 900))
        self.request()
        self.artifact({"check.txt": "all well\n"})
        (clone.stubs / "comments").write_text("")

    def artifacts(self, *items: tuple[int, str, int]) -> None:
        listed = [dict(zip(("id", "name", "size_in_bytes"), item, strict=True)) for item in items]
        (self.clone.stubs / "artifacts").write_text(json.dumps({"artifacts": listed}))

    def request(self, state: str = "open", head: str = HEAD) -> None:
        (self.clone.stubs / "request").write_text(json.dumps({"state": state, "head": {"sha": head}}))

    def artifact(self, files: dict[str, str | bytes]) -> None:
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        (self.clone.stubs / "zip").write_bytes(sink.getvalue())

    def __call__(self) -> subprocess.CompletedProcess[str]:
        return self.clone(
            sys.executable, "-S", "scripts/ci/post_comment.py",
            GH_TOKEN="x", GITHUB_REPOSITORY="us/bench", GITHUB_SERVER_URL="https://example.org",
            RUN_ID="77", HEAD_SHA=HEAD, OUTCOME="failure",
        )  # fmt: skip

    @property
    def body(self) -> str | None:
        path = self.clone.stubs / "body"
        return json.loads(path.read_bytes())["body"] if path.exists() else None

    @property
    def calls(self) -> list[str]:
        return (self.clone.stubs / "gh-calls").read_text().splitlines()


@pytest.fixture
def commenting(clone: Clone) -> Commenting:
    return Commenting(clone)


def test_what_is_uploaded_is_what_is_posted():
    flow = yaml.load((ROOT / ".github/workflows/entry.yml").read_text("utf-8"), yaml.BaseLoader)
    upload = next(s for s in flow["jobs"]["check"]["steps"] if s.get("uses", "").startswith("actions/upload-artifact@"))
    script = load("post_comment")
    assert script.ARTIFACT.fullmatch(re.sub(r"\$\{\{.*\}\}", "12", upload["with"]["name"]))
    assert upload["with"]["path"] == "scratch/request/*.txt"
    assert set(script.PARTS) == {"check.txt", "verify.txt", "board.txt"}


def test_the_comment_is_posted_once_and_then_updated(commenting):
    commenting.artifact({"check.txt": "all well\n", "board.txt": "| a | b |\n"})
    done = commenting()
    assert (done.returncode, done.stdout) == (0, "request 12: posted\n"), done.stderr
    assert commenting.calls[-1] == "api repos/us/bench/issues/12/comments --method POST --input -"
    assert "text\nall well\n`" in commenting.body
    assert "text\n| a | b |\n`" in commenting.body
    assert "**failure** ([log](https://example.org/us/bench/actions/runs/77))" in commenting.body
    (commenting.clone.stubs / "comments").write_text("501\n502\n")
    assert commenting().stdout == "request 12: updated\n"
    assert commenting.calls[-1] == "api repos/us/bench/issues/comments/501 --method PATCH --input -"


@pytest.mark.parametrize(
    "text",
    [
        "```\n@everyone ![x](https://evil.example/x.png)\n```\n# heading",
        "````````\n@everyone\n<img src=https://evil.example/x.png>",
        "`" * 64 + "\n@everyone",
        "~~~\n@everyone\n<!-- volmark: entry request -->",
        "\x1b[31m\u202e@everyone\r\n`````",
    ],
)
def test_nothing_in_the_text_can_leave_its_fence(commenting, text):
    commenting.artifact({"check.txt": text})
    assert commenting().returncode == 0
    lines = commenting.body.split("\n")
    opening = next(i for i, line in enumerate(lines) if re.fullmatch("`{3,}text", line))
    fence = lines[opening].removesuffix("text")
    closing = [i for i, line in enumerate(lines) if re.fullmatch(f" {{0,3}}{fence}`*\\s*", line)]
    assert closing == [len(lines) - 1]
    assert not any("@" in line or "evil" in line for line in lines[:opening])
    assert all(sign.isprintable() for line in lines for sign in line)


def test_a_long_text_is_cut_and_the_comment_fits(commenting):
    commenting.artifact(dict.fromkeys(("check.txt", "verify.txt", "board.txt"), "`a" * 900_000))
    assert commenting().returncode == 0
    assert len(commenting.body) < 65_536 and "(cut here)" in commenting.body


@pytest.mark.parametrize(
    "name", ["entry-request-", "entry-request-1x", "entry-request-0", "entry-request-1\n", "entry-request-1/../2",
             "entry-request-\u0661", "preview"]
)  # fmt: skip
def test_an_artifact_without_a_number_is_nothing_to_post(commenting, name):
    commenting.artifacts((1, name, 900))
    done = commenting()
    assert (done.returncode, done.stdout) == (0, "the run left nothing to post\n")
    assert len(commenting.calls) == 1


def test_several_artifacts_and_a_large_one_are_refused_before_they_are_fetched(commenting):
    for items in [[(1, "entry-request-1", 9), (2, "entry-request-2", 9)], [(1, "entry-request-1", 10**9)]]:
        commenting.artifacts(*items)
        done = commenting()
        assert done.returncode == 1 and done.stderr.startswith("refused: ")
        assert "Traceback" not in done.stderr
    assert not any("zip" in call for call in commenting.calls)


def test_a_number_of_another_request_or_an_old_head_posts_nothing(commenting):
    for change in ({"head": "f" * 40}, {"state": "closed"}):
        commenting.request(**change)
        done = commenting()
        assert done.returncode == 0 and "nothing is posted" in done.stdout
    assert commenting.body is None


def test_an_artifact_that_is_no_archive_is_refused(commenting):
    (commenting.clone.stubs / "zip").write_bytes(b"not a zip")
    done = commenting()
    assert done.returncode == 1 and done.stderr.startswith("refused: the artifact cannot be read")
    assert commenting.body is None


def test_files_of_other_names_are_not_looked_at_or_written(commenting):
    commenting.artifact({"../../evil.py": "@everyone", "/tmp/x": "@everyone"})
    before = sorted(commenting.clone.root.parent.rglob("evil*"))
    assert commenting().returncode == 0
    assert "@everyone" not in commenting.body
    assert sorted(commenting.clone.root.parent.rglob("evil*")) == before == []


# ---- the bars -----------------------------------------------------------------------------------------------------


def tar_of(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        for name, content in files.items():
            item = tarfile.TarInfo(name)
            item.size = len(content)
            archive.addfile(item, io.BytesIO(content))
    return sink.getvalue()


def zip_of(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()


SNAPSHOT = {"us21/bars.parquet": b"bars", "us21/vix.parquet": b"vix", "us21/README.md": b"words"}


class Fetching:
    """`fetch_snapshot.py` with a server on this machine and a stub in the place of `bench`."""

    def __init__(self, clone: Clone, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
        self.clone, self.script, self.bars = clone, load("fetch_snapshot"), clone.root.parent / "bars"
        self.served: bytes = tar_of(SNAPSHOT)
        self.address = f"http://127.0.0.1:{port}/secret-name"
        monkeypatch.chdir(clone.root)
        monkeypatch.setattr(self.script, "SCHEME", "http")
        for name, value in {"BENCH_DATA": str(self.bars), "BENCH_DATA_URL": self.address}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("STUBS", str(clone.stubs))
        self.identities(official="abc", development="def")

    def identities(self, **by_split: str) -> None:
        found = {split: {"identity": value, "is": "as pinned"} for split, value in by_split.items()}
        self.clone.answers("data-identity", out=json.dumps(found))

    def refusal(self) -> str:
        with pytest.raises(SystemExit) as end:
            self.script.main("us21")
        assert "secret-name" not in str(end.value)
        assert sorted(self.bars.glob("*")) + sorted(self.bars.glob(".*")) == [], "nothing is left behind"
        return str(end.value)


@pytest.fixture
def fetching(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fetching]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/elsewhere":
                self.send_response(302)
                self.send_header("Location", "ftp://127.0.0.1/secret-name")
                self.end_headers()
                return
            self.send_response(200 if self.path == "/secret-name" else 404)
            self.end_headers()
            self.wfile.write(state.served)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        state = Fetching(clone, monkeypatch, server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_the_pinned_bars_are_brought_and_nothing_beside_them(fetching, pack, capsys):
    fetching.served = pack(SNAPSHOT)
    fetching.script.main("us21")
    found = {str(path.relative_to(fetching.bars)): path.read_bytes() for path in fetching.bars.rglob("*.*")}
    assert found == {"us21/bars.parquet": b"bars", "us21/vix.parquet": b"vix"}
    assert [call.split(" --folder")[0] for call in fetching.clone.calls] == [
        "bench data check us21",
        "bench data identity us21",
    ]
    assert "secret-name" not in capsys.readouterr().out


def test_bars_of_another_identity_are_refused(fetching):
    fetching.identities(official="abc", development="other")
    assert "the identity is other, pinned is def" in fetching.refusal()
    fetching.identities(official="abc")
    assert "not covered" in fetching.refusal()


def test_unsound_bars_are_refused(fetching):
    fetching.clone.answers("data-check", code=2)
    assert "bench data check us21 ended with 2" in fetching.refusal()


@pytest.mark.parametrize(
    ("served", "says"),
    [
        (b"<html>log in</html>", "cannot be unpacked"),
        (tar_of({"other/bars.parquet": b"x"}), "holds no us21/bars.parquet"),
        (tar_of({"../escaped": b"x", **SNAPSHOT}), "cannot be unpacked"),
        (tar_of(SNAPSHOT)[:60], "cannot be unpacked"),
        (zip_of({"us21/notes": b"x"}), "holds no us21/bars.parquet"),
    ],
    ids=["a page", "another dataset", "outside", "cut off", "no bars"],  # an archive's bytes hold the time
)
def test_an_archive_that_holds_no_sound_snapshot_is_refused(fetching, served, says):
    fetching.served = served
    assert says in fetching.refusal()
    assert not (fetching.clone.root.parent / "escaped").exists()


def test_too_large_archives_are_refused(fetching, monkeypatch):
    monkeypatch.setattr(fetching.script, "MAX_BYTES", 500_000)
    fetching.served = tar_of({"us21/bars.parquet": bytes(600_000)})
    assert "unpacks to more than" in fetching.refusal()
    fetching.served = os.urandom(500_001)
    assert "bytes were served" in fetching.refusal()


def test_only_encrypted_addresses_are_asked_and_followed(fetching, monkeypatch):
    monkeypatch.setenv("BENCH_DATA_URL", fetching.address.replace("secret-name", "elsewhere"))
    assert "status 302" in fetching.refusal()
    monkeypatch.setattr(fetching.script, "SCHEME", "https")
    assert "is no https address" in fetching.refusal()


def test_a_server_that_does_not_answer_is_one_line_without_the_address(fetching, monkeypatch):
    monkeypatch.setenv("BENCH_DATA_URL", fetching.address.replace("/secret-name", "/secret-name/not-there"))
    assert fetching.refusal() == "refused: the server did not give the archive: status 404"


def test_without_the_secret_there_are_no_bars_and_no_failure(clone):
    done = clone("make", "snapshot", BENCH_DATA=str(clone.root.parent / "bars"), BENCH_DATA_URL="")
    assert done.returncode == 0 and "BENCH_DATA_URL is not set" in done.stdout
    assert clone.calls == []


def test_a_plain_address_is_refused_by_the_script_as_it_is(clone):
    bars = str(clone.root.parent / "bars")
    done = clone("make", "snapshot", BENCH_DATA=bars, BENCH_DATA_URL="http://127.0.0.1:9/secret-name")
    assert done.returncode != 0 and "is no https address" in done.stderr and "secret-name" not in done.stderr


# ---- the boards ---------------------------------------------------------------------------------------------------


def test_everything_is_brought_up_to_date_where_bars_are(clone):
    (clone.root.parent / "bars/us21").mkdir(parents=True)
    clone.write("results/us21/studies/scan/development/LEADERBOARD.md", "a board\n")
    clone.answers("run", code=1)
    done = clone("make", "update", BENCH_DATA=str(clone.root.parent / "bars"))
    assert done.returncode == 0, done.stderr
    assert clone.calls == [
        "bench run --dataset indices",
        "bench board --write --dataset indices --split official",
        "bench run --dataset us21",
        "bench board --write --dataset us21 --split official",
        "bench board --write --dataset us21 --split development",
        "bench board --write --dataset us21 --split development --study scan",
        "bench ledger --update",
        "bench verify --base HEAD",
    ]
    assert (clone.root / "readme-was-made").exists()


def test_without_bars_a_dataset_is_not_run(clone):
    done = clone("make", "update", BENCH_DATA=str(clone.root.parent / "bars"))
    assert done.returncode == 0 and "us21: no bars here" in done.stdout
    assert "bench run --dataset us21" not in clone.calls
    assert "bench board --write --dataset us21 --split official" in clone.calls


def test_without_a_sandbox_nothing_is_run(clone):
    clone.program("bin/bwrap", "#!/bin/sh\necho no namespaces here >&2\nexit 1\n")
    done = clone("make", "update", BENCH_DATA=str(clone.root.parent / "bars"))
    assert done.returncode != 0 and "no sandbox: no namespaces here" in done.stderr
    assert clone.calls == []


@pytest.mark.parametrize(("command", "code"), [("run", 2), ("board", 1), ("ledger", 1), ("verify", 1)])
def test_an_update_ends_at_the_first_failure(clone, command, code):
    clone.answers(command, code=code)
    assert clone("make", "update").returncode != 0
    assert clone.calls[-1].startswith(f"bench {command} ")


# ---- the commit ---------------------------------------------------------------------------------------------------


def commit_results(clone: Clone) -> subprocess.CompletedProcess[str]:
    return clone(".venv/bin/python", "scripts/ci/commit_results.py")


def pushed(clone: Clone) -> str:
    return clone.git("--git-dir", str(clone.remote), "log", "-1", "--name-only", "--format=%an%n%s", "main")


def parquet(*columns: str) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({name: [1.0] for name in columns}), sink)
    return sink.getvalue()


def test_what_changed_in_results_and_readme_is_committed_and_pushed(clone):
    clone.write("results/us21/official/next-day/x/forecasts.parquet", parquet("date", "forecast_var"))
    clone.write("results/ledger.jsonl", "{}\n")
    clone.write("README.md", "# Another board\n")
    (clone.root / "results/indices/official/LEADERBOARD.md").unlink()
    clone.program(".git/hooks/pre-commit", "#!/bin/sh\ntouch hook-was-run\n")
    done = commit_results(clone)
    assert (done.returncode, done.stdout) == (0, "4 files committed\n"), done.stderr
    author, subject, _, *files = pushed(clone).splitlines()
    assert (author, subject) == ("github-actions[bot]", "Boards: results and ledger brought up to date")
    assert files == [
        "README.md",
        "results/indices/official/LEADERBOARD.md",
        "results/ledger.jsonl",
        "results/us21/official/next-day/x/forecasts.parquet",
    ]
    assert not (clone.root / "hook-was-run").exists()


def test_where_nothing_changed_nothing_is_committed(clone):
    before = pushed(clone)
    done = commit_results(clone)
    assert (done.returncode, done.stdout) == (0, "nothing changed\n")
    assert pushed(clone) == before


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("results/us21/vix.parquet", b"", "has the name of a snapshot's file"),
        ("results/us21/BARS.csv", b"", "has the name of a snapshot's file"),
        ("results/us21/other.parquet", parquet("date", "Open", "close"), "has columns of bars: close, open"),
        ("results/us21/other.csv", b"date,symbol,high\n", "has columns of bars: high"),
        ("results/us21/other.parquet", b"no parquet", "cannot be read"),
        ("results/us21/model.pt", b"", "is of no kind that a run or a board writes"),
        ("submissions/one/model.py", b"class Other: ...\n", "only results/ and README.md may change"),
        ("stray.txt", b"", "only results/ and README.md may change"),
    ],
)
def test_what_must_not_be_published_is_refused(clone, name, content, why):
    before = pushed(clone)
    clone.write("results/ledger.jsonl", "{}\n")
    clone.write(name, content)
    done = commit_results(clone)
    assert done.returncode == 1
    assert f"refused: {name}: {why}" in done.stderr and "Traceback" not in done.stderr
    assert pushed(clone) == before == clone.git("log", "-1", "--name-only", "--format=%an%n%s")


def test_bars_that_were_staged_by_force_are_refused(clone):
    for name in ("results/us21/bars.parquet", "datasets/us21/bars.parquet"):
        clone.write(name, parquet("open"))
        clone.git("add", "--force", name)
    done = commit_results(clone)
    assert done.returncode == 1
    assert "refused: results/us21/bars.parquet: has the name of a snapshot's file" in done.stderr
    assert "refused: datasets/us21/bars.parquet: only results/ and README.md may change" in done.stderr


def artifacts(*sizes: int) -> bytes:
    sink = io.BytesIO()
    np.savez_compressed(sink, **{f"array_{i}": np.zeros(size) for i, size in enumerate(sizes)})
    return sink.getvalue()


@pytest.mark.parametrize("sizes", [[(4_000 * 20,)], [(3_000, 3_000)], [(3_000,), (3_000,)]], ids=str)
def test_artifacts_that_could_hold_bars_are_left_to_a_person(clone, sizes):
    before = pushed(clone)
    files = [f"results/us21/official/next-day/x/artifacts-{seed}.npz" for seed in range(len(sizes))]
    for name, arrays in zip(files, sizes, strict=True):
        clone.write(name, artifacts(*arrays))
    done = commit_results(clone)
    assert done.returncode == 1 and pushed(clone) == before
    assert f"refused: {files[-1]}: artifacts of more than 40000 bytes: a person looks at them" in done.stderr


def test_small_artifacts_are_committed_and_those_of_a_person_stay(clone):
    large = clone.write("results/us21/official/next-day/y/artifacts-0.npz", artifacts(80_000))
    clone.commit()
    clone.write("results/us21/official/next-day/x/artifacts-0.npz", artifacts(21 * 20))
    assert commit_results(clone).returncode == 0
    large.write_bytes(b"no archive")
    assert "artifacts-0.npz: cannot be read" in commit_results(clone).stderr


def test_what_is_handed_over_is_what_is_taken_over_and_committed(clone):
    clone.write("results/ledger.jsonl", "{}\n")
    clone.write("results/us21/bars.parquet", b"ignored by git")
    (clone.root / "results/indices/official/LEADERBOARD.md").unlink()
    done = clone(".venv/bin/python", "scripts/ci/hand_over_results.py")
    assert (done.returncode, done.stdout) == (0, "2 changed files are handed over\n"), done.stderr
    handed = clone.root / "scratch/handed"
    assert sorted(str(path.relative_to(handed)) for path in handed.rglob("*") if path.is_file()) == [
        "README.md",
        "results/ledger.jsonl",
        "results/us21/development/LEADERBOARD.md",
        "results/us21/official/LEADERBOARD.md",
    ]
    clone.git("reset", "-q", "--hard")
    clone.write("scratch/handed/submissions/one/model.py", "class Other: ...\n")
    assert clone("bash", "scripts/ci/take_over_results.sh").returncode == 0
    assert commit_results(clone).stdout == "2 files committed\n"
    assert pushed(clone).splitlines()[3:] == ["results/indices/official/LEADERBOARD.md", "results/ledger.jsonl"]


def test_bars_are_not_handed_over(clone):
    clone.write("results/us21/other.parquet", parquet("open"))
    done = clone(".venv/bin/python", "scripts/ci/hand_over_results.py")
    assert done.returncode == 1 and "has columns of bars: open" in done.stderr
    assert not (clone.root / "scratch").exists()


def test_nothing_handed_over_takes_nothing_away(clone):
    assert clone("bash", "scripts/ci/take_over_results.sh").returncode != 0
    assert (clone.root / "results/us21/official/LEADERBOARD.md").exists()


def test_a_link_in_results_is_refused(clone):
    (clone.root / "results/secret.json").symlink_to("/etc/hostname")
    assert "refused: results/secret.json: is a link" in commit_results(clone).stderr


def test_a_branch_that_moved_on_is_left_as_it_is(clone):
    clone.write("README.md", "# One\n")
    clone.commit()
    clone.git("push", "-q", "origin", "main")
    clone.git("reset", "-q", "--hard", "HEAD^1")
    before = pushed(clone)
    clone.write("results/ledger.jsonl", "{}\n")
    done = commit_results(clone)
    assert done.returncode == 1 and "the branch was not updated" in done.stderr
    assert pushed(clone) == before


# ---- what is installed --------------------------------------------------------------------------------------------


def test_install_makes_an_environment_with_the_pinned_versions(clone):
    shutil.rmtree(clone.root / ".venv")
    clone.program(
        "bin/a-python",
        '#!/bin/sh\necho "python $*" >> "$STUBS/calls"\n'
        '[ "$2" = venv ] && mkdir -p "$3/bin" && cp "$0" "$3/bin/python"\nexit 0\n',
    )
    done = clone("make", "install", "PYTHON=a-python")
    assert done.returncode == 0, done.stderr
    installs = [call for call in clone.calls if " pip install " in call]
    assert installs and all("-c constraints.txt -e .[" in call for call in installs)
    assert "networks" in installs[-1]


@pytest.mark.parametrize("works", [True, False])
def test_the_sandbox_is_installed_and_tried(clone, works):
    recorder = '#!/bin/sh\necho "$(basename "$0") $*" >> "$STUBS/calls"\n'
    clone.program("bin/sudo", recorder)
    clone.program("bin/bwrap", recorder + ("" if works else "exit 1\n"))
    done = clone("bash", "scripts/ci/install_sandbox.sh")
    assert (done.returncode == 0) is works
    assert any(call.startswith("bwrap --ro-bind / /") and "--unshare-all" in call for call in clone.calls)
