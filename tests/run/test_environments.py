"""Entries with requirements of their own: how their environment is made, kept and handed to the worker."""

from __future__ import annotations

import importlib.metadata
import json
import stat
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from bench.run import environments
from bench.run.environments import environment_of
from bench.run.failure import EntryFailure

ENTRY = """
import greeting
class Model(Forecaster):
    def fit(self, history):
        import sys
        ours = [name for name in ("scipy", "pandas", "bench.data.panel", "pydantic") if self.can_import(name)]
        self.record(greeting=greeting.WORDS, numpy=np.__version__, ours=ours)
    def can_import(self, name):
        try:
            __import__(name)
        except ImportError:
            return False
        return True
    def forecast(self, history):
        return history.variance[-1]
"""

STUB = """#!{python}
import sys, shutil, time
from pathlib import Path
target, requirements = (Path(sys.argv[sys.argv.index(name) + 1]) for name in ("--target", "--requirements"))
with open({log!r}, "a") as log:
    log.write(" ".join(sys.argv[1:]) + chr(10))
wanted = requirements.read_text()
if "unsolvable" in wanted:
    sys.exit("Using CPython\\nerror: No solution found when resolving dependencies\\n  cause: none here\\x1b[31m")
if "slow" in wanted:
    time.sleep(60)
target.mkdir()
if "killed" in wanted:
    sys.exit(9)
(target / "greeting.py").write_text("WORDS = 'good day'")
time.sleep(0.2)
info = target / "greeting-1.2.dist-info"
info.mkdir()
(info / "METADATA").write_text("Metadata-Version: 2.1\\nName: Greeting\\nVersion: 1.2\\n")
for name in ("numpy", "numpy.libs") if "==" in wanted else ():  # for an entry that is run
    if (Path({packages!r}) / name).is_dir():
        shutil.copytree(Path({packages!r}) / name, target / name)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "volmark" / "environments"


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """An installer that needs no network; what it was called with, so far."""
    log, stub = tmp_path / "calls", tmp_path / "bin" / "uv"
    stub.parent.mkdir()
    packages = str(Path(importlib.metadata.distribution("numpy").locate_file("numpy")).parent)
    stub.write_text(STUB.format(python=sys.executable, log=str(log), packages=packages))
    stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(environments, "_uv", lambda: str(stub))
    return lambda: log.read_text().splitlines() if log.exists() else []


def asking(requirements: str) -> dict[str, bytes]:
    """The files of an entry with these requirements."""
    return {"requirements.txt": requirements.encode()}


def test_an_entry_without_requirements_runs_in_ours(tmp_path):
    environment = environment_of({}, 10)
    assert environment.versions["numpy"] == importlib.metadata.version("numpy")
    assert all(Path(place).is_dir() for place in environment.packages)


def test_an_entry_runs_with_its_requirements_and_nothing_of_ours(sandbox, calls, cache):
    folder = sandbox.add_entry("own", ENTRY)
    (folder / "requirements.txt").write_text("greeting==1.2\n")
    outcome = sandbox("run", "own", "mean")
    assert outcome.code == 0, outcome.err
    measured = sandbox.run_json("own")["measured"]
    told = measured["seeds"]["0"]["records"][0]
    assert told["greeting"] == "good day"
    assert told["numpy"] == importlib.metadata.version("numpy")
    assert told["ours"] == []
    assert measured["versions"]["greeting"] == "1.2"
    assert "arch" not in measured["versions"]
    assert "arch" in sandbox.run_json("mean")["measured"]["versions"]
    (call,) = calls()
    assert "--no-build" in call  # no code of a stranger runs while it is installed
    (read,) = cache.glob("*.txt")  # not the entry's file, which may hold what was not understood
    assert call.endswith(f"--requirements {read} numpy>=2.0")


def test_an_environment_is_made_once_for_the_same_requirements(tmp_path, calls):
    one = environment_of(asking("greeting\n"), 30)
    same = environment_of(asking("greeting\n"), 30)
    other = environment_of(asking("greeting>=1\n"), 30)
    assert one == same
    assert other.packages != one.packages
    assert len(calls()) == 2


def test_another_python_has_another_environment(tmp_path, calls, monkeypatch):
    folder = asking("greeting\n")
    one = environment_of(folder, 30)
    monkeypatch.setattr(environments.platform, "python_version", lambda: "3.99.0")
    assert environment_of(folder, 30).packages != one.packages


def test_runs_that_need_the_same_environment_at_once_share_it(tmp_path, calls, cache):
    folder = asking("greeting\n")
    made = []
    threads = [threading.Thread(target=lambda: made.append(environment_of(folder, 30))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len({environment.packages for environment in made}) == 1
    assert len(calls()) == 1
    assert not list(cache.glob("*.part"))


def test_what_a_killed_run_left_is_made_again(tmp_path, calls, cache):
    folder = asking("greeting\n")
    (place,) = environment_of(folder, 30).packages
    Path(place).rename(Path(place).with_suffix(".part"))
    (Path(place).with_suffix(".part") / "greeting.py").unlink()
    environment_of(folder, 30)
    assert (Path(place) / "greeting.py").is_file()


@pytest.mark.parametrize(
    ("requirements", "reason"),
    [
        (
            "unsolvable\n",
            "cannot be installed: No solution found when resolving dependencies cause: none here",
        ),
        ("killed\n", "requirements.txt cannot be installed: uv did not say why"),
        ("slow\n", "requirements.txt: installing it took longer than 1 s"),
        ("numpy\n-r /etc/passwd\n", "requirements.txt, line 2: only names and versions of packages are read"),
        ("  --index-url https://example.org\n", "line 1: only names and versions of packages are read"),
    ],
)
def test_what_cannot_be_installed_is_a_failed_record(sandbox, calls, cache, requirements, reason):
    sandbox.settings["limits"]["environment_seconds"] = 1
    sandbox.write_settings()
    (sandbox.add_entry("own", ENTRY) / "requirements.txt").write_text(requirements)
    outcome = sandbox("run", "own", "mean")
    assert outcome.code == 1
    record = sandbox.run_json("own")
    assert record["state"] == "failed"
    assert reason in record["reason"]
    assert record["reason"].isprintable()
    assert sandbox.run_json("mean")["state"] == "done"
    assert not [path for path in cache.glob("*") if path.suffix not in (".lock", ".part", ".txt")]  # and is tried again


def test_without_uv_the_reason_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EntryFailure, match="needs uv, which is not installed: pip install uv"):
        environment_of(asking("greeting\n"), 10)


def test_the_requirements_are_part_of_the_identity(sandbox, calls):
    folder = sandbox.add_entry("own", ENTRY)
    (folder / "requirements.txt").write_text("greeting==1.2\n")
    assert sandbox("run", "own").code == 0
    assert sandbox("run", "own", "--plan", "--json").json["run"] == []
    (folder / "requirements.txt").write_text("greeting>=1.2\n")
    assert sandbox("run", "own", "--plan", "--json").json["run"] == ["own next-day"]


def wheel(folder: Path, name: str, version: str, files: dict[str, bytes]) -> None:
    """A wheel with these files, written by hand."""
    info = f"{name}-{version}.dist-info"
    tag = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    whole = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": tag.encode(),
    }
    whole[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*whole, f"{info}/RECORD"]).encode()
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, content in whole.items():
            archive.writestr(path, content)


def test_with_the_real_installer_and_wheels_in_a_folder(tmp_path, monkeypatch):
    """Without a network: wheels made here, NumPy a stand-in."""
    pytest.importorskip("uv", reason="uv is not installed")
    wheel(tmp_path / "wheels", "greeting", "1.2", {"greeting.py": b"WORDS = 'good day'"})
    wheel(tmp_path / "wheels", "numpy", "2.99", {"numpy/__init__.py": b""})
    settings = {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(tmp_path / "wheels"), "UV_OFFLINE": "1",
                "UV_CACHE_DIR": str(tmp_path / "uv")}  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    environment = environment_of(asking("greeting==1.2\n"), 60)
    (place,) = environment.packages
    assert (Path(place) / "greeting.py").read_text() == "WORDS = 'good day'"
    assert environment.versions.items() >= {"greeting": "1.2", "numpy": "2.99"}.items()
    with pytest.raises(EntryFailure, match=r"cannot be installed: No solution found .* greeting"):
        environment_of(asking("greeting==9\n"), 60)


@pytest.mark.parametrize(
    "line",
    [
        "greeting @ https://example.org/greeting.whl", "https://example.org/greeting.whl", "./greeting-1.2.whl",
        "greeting==${SECRET}", "greeting; sys_platform == '$SECRET'", "\ufeffgreeting", "-e .", "greeting --pre",
        "greeting\u2028--index-url https://example.org", "greeting \\", "greeting \\\n-r /etc/passwd",
    ],
)  # fmt: skip
def test_a_line_that_is_no_requirement_is_refused_before_anything_is_installed(tmp_path, calls, line):
    with pytest.raises(EntryFailure, match=r"only names and versions of packages are read|ends in the middle"):
        environment_of(asking(f"numpy\n{line}\n"), 10)
    assert calls() == []


def test_the_installer_reads_what_was_understood_and_gets_no_secrets(tmp_path, calls, cache, monkeypatch):
    monkeypatch.setenv("SECRET", "of the harness")
    monkeypatch.setenv("UV_INDEX_URL", "https://example.org/simple")
    stub = Path(environments._uv())
    kept = tmp_path / "kept"
    stub.write_text(
        stub.read_text() + f"import json, os\nPath({str(kept)!r}).write_text(json.dumps(dict(os.environ)))\n"
    )
    digest = "0" * 64
    text = "# ours\n\nGreeting [b,a]>=1 , <2 ; python_version > '3'  # a comment\nfile.whl==1 \\\n"
    environment_of(asking(f"{text}  --hash=sha256:{digest}\n"), 30)
    (read,) = cache.glob("*.txt")
    assert read.read_text().splitlines() == [
        'greeting[a,b]<2,>=1; python_version > "3"', f"file-whl==1 --hash=sha256:{digest}"
    ]  # fmt: skip
    environment = json.loads(kept.read_text())
    assert "SECRET" not in environment
    assert environment["UV_INDEX_URL"] == "https://example.org/simple"
