"""Entries that reach for what is outside: what each level of isolation stops, and how it is told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import psutil
import pytest
from conftest import ROOT

from bench.errors import BenchError
from bench.plugin import landlock, refused
from bench.registry.config import Limits
from bench.registry.reading import read_yaml
from bench.run import sandbox as levels
from bench.run.child import WorkerProcess
from bench.run.stage import staged

needs_bwrap = pytest.mark.skipif(levels.obstacle() is not None, reason=f"no sandbox here: {levels.obstacle()}")
needs_landlock = pytest.mark.skipif(not levels.landlock_works(), reason="the kernel has no Landlock, or no filters")
LEVELS = [
    pytest.param("bubblewrap", marks=needs_bwrap),
    pytest.param("landlock", marks=needs_landlock),
    pytest.param("process"),
]

TRIES = """
import os, socket, sys, tempfile
from pathlib import Path

class Model(Forecaster):
    def forecast(self, history):
        if not hasattr(self, "tried"):
            self.tried = True
            for name in dir(self):
                if name.startswith("try_"):
                    try:
                        self.record(**{name: str(getattr(self, name)())})
                    except Exception as error:
                        self.record(**{name: "stopped: " + type(error).__name__})
        return history.variance[-1]
"""


def tries(**methods: str) -> str:
    """A model that evaluates an expression once for each name and records what came of it."""
    return TRIES + "".join(f"\n    def try_{name}(self):\n        return {code}\n" for name, code in methods.items())


def told(box, entry: str) -> dict[str, str]:
    """What `tries` has recorded."""
    records = box.run_json(entry)["measured"]["seeds"]["0"]["records"]
    return {key.removeprefix("try_"): value for record in records for key, value in record.items()}


@pytest.fixture
def at_level(sandbox, monkeypatch):
    """Has the throw-away benchmark run at a level, with other limits."""

    def set_to(level: str, **limits):
        if level == "landlock":
            monkeypatch.setattr(levels, "obstacle", lambda: "name spaces are forbidden")
        use = {"bubblewrap": "require", "landlock": "auto", "process": "off"}[level]
        sandbox.settings["limits"] |= {"sandbox": use, **limits}
        sandbox.write_settings()

    return set_to


@pytest.fixture
def shut_in(sandbox):
    """The throw-away benchmark, where a sandbox is required."""
    sandbox.settings["limits"]["sandbox"] = "require"
    sandbox.write_settings()
    return sandbox


@needs_bwrap
def test_there_is_no_network(shut_in):
    shut_in.add_entry(
        "dialer",
        tries(
            connect="socket.create_connection(('1.1.1.1', 53), timeout=5)",
            resolve="socket.getaddrinfo('example.org', 80)",
            devices="[name for _, name in socket.if_nameindex()]",
        ),
    )
    assert shut_in("run", "dialer").code == 0
    found = told(shut_in, "dialer")
    assert found["connect"].startswith("stopped")
    assert found["resolve"].startswith("stopped")
    assert found["devices"] == "['lo']"


@needs_bwrap
def test_data_results_home_and_repository_are_not_there(shut_in, monkeypatch, tmp_path):
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    (snapshot / "bars.parquet").write_bytes(b"bars")
    monkeypatch.setenv("BENCH_DATA", str(snapshot))
    results = tmp_path / "results"
    paths = {
        "snapshot": snapshot / "bars.parquet", "bars": shut_in.root / "datasets/tiny/bars.csv", "home": Path.home(),
        "results": results / "tiny", "repository": ROOT / "bench.yaml", "ours": ROOT / "bench" / "panel.py",
    }  # fmt: skip
    guesses = {name: f"Path({str(path)!r}).exists() and os.listdir({str(path)!r})" for name, path in paths.items()}
    shut_in.add_entry(
        "reader",
        tries(
            **guesses,
            above="[str(p) for p in Path(sys.executable).parents if (p / 'bench.yaml').exists()]",
            packages="[str(p) for path in sys.path for p in Path(path).parents if (p / 'bench.yaml').exists()]",
            commands="[t for p in Path('/proc').glob('[0-9]*/cmdline') if '--root' in (t := p.read_text())]",
            top="sorted(os.listdir('/'))",
            mounts="[p for p in ('/home', '/srv', '/mnt', '/media', '/var') if os.path.exists(p)]",
        ),
    )
    assert shut_in("run", "reader", "--results", str(results)).code == 0
    record = json.loads((results / "tiny/official/next-day/reader/run.json").read_text())
    found = {key: value for part in record["measured"]["seeds"]["0"]["records"] for key, value in part.items()}
    top = found.pop("try_top")
    assert {value for key, value in found.items() if key != "try_home"} <= {"False", "[]"}
    assert found["try_home"] in ("False", "[]") or "bench" not in found["try_home"]  # a Python may lie below it
    assert "'usr'" in top


@needs_bwrap
def test_it_can_write_in_its_working_directory_alone_and_leaves_nothing(shut_in):
    target = ROOT / "written-by-an-entry"
    code = tries(
        note="Path('/tmp/note-to-myself').exists() or Path('/dev/shm/note').exists()",
        tmp="Path('/tmp/note-to-myself').write_text('x') + Path('/dev/shm/note').write_text('x')",
        work="Path('here').write_text('x') and os.listdir('.')",
        code="Path(__file__).write_text('x')",
        library="(Path(np.__file__).parent / 'x').write_text('x')",
        system="Path('/usr/lib/x').write_text('x')",
        root="Path('/x').write_text('x')",
        repository=f"Path({str(target)!r}).write_text('x')",
        device="open('/dev/x', 'w')",
        remount="os.system('mount -o remount,rw / 2>/dev/null; mount -t tmpfs x /usr 2>/dev/null') and 'refused'",
    )
    shut_in.add_entry("writer", code)
    shut_in.add_entry("again", code)
    assert shut_in("run", "writer", "again", "--jobs", "1").code == 0
    for entry in ("writer", "again"):
        found = told(shut_in, entry)
        assert found["note"] == "False"
        assert found["tmp"] == "2"
        assert found["work"] == "['here']"
        assert found["remount"] == "refused"
        places = ("code", "library", "system", "root", "device")
        assert all(found[place].startswith("stopped") for place in places), found
    assert not target.exists()  # of a clone below /tmp, it has written to its own /tmp
    assert not Path("/tmp/note-to-myself").exists()


BOMB = """
import ctypes, os
class Model(Forecaster):
    def forecast(self, history):
        ctypes.CDLL(None).prctl(15, b"volmark-bomb")  # its name
        while True:
            try:
                os.fork()
            except OSError:
                pass
"""


@pytest.mark.parametrize("use", LEVELS)
def test_a_fork_bomb_is_a_failed_record(sandbox, at_level, use):
    at_level(use, processes=8, memory_mb=100_000, forecast_seconds=20)
    sandbox.add_entry("bomb", BOMB)
    assert sandbox("run", "bomb", "mean").code == 1
    assert sandbox.run_json("bomb")["reason"] == "ran more than 8 processes at once"
    assert sandbox.run_json("mean")["state"] == "done"
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and alive("volmark-bomb"):
        time.sleep(0.05)
    assert not alive("volmark-bomb")


def alive(name: str) -> list[psutil.Process]:
    """Processes of that name that have not ended."""
    found = psutil.process_iter(["name", "status"])
    return [p for p in found if p.info["name"] == name and p.info["status"] != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("use", LEVELS)
def test_a_signal_to_its_own_process_is_told_by_name(sandbox, at_level, use):
    at_level(use)
    sandbox.add_entry(
        "suicide", "import os\nclass Model(Forecaster):\n    def forecast(self, h):\n        os.kill(os.getpid(), 9)"
    )
    sandbox.add_entry("polite", "import os\nclass Model(Forecaster):\n    def forecast(self, h):\n        os._exit(3)")
    assert sandbox("run", "suicide", "polite").code == 1
    assert sandbox.run_json("suicide")["reason"] == "was killed by SIGKILL during forecast on 2010-12-31"
    assert sandbox.run_json("polite")["reason"] == "ended with exit status 3 during forecast on 2010-12-31"


@needs_bwrap
def test_signals_reach_nobody_outside(shut_in):
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        shut_in.add_entry(
            "shooter",
            tries(
                parent="os.kill(os.getppid(), 15)",
                bystander=f"os.kill({bystander.pid}, 9)",
                everybody="os.kill(-1, 15) if len(os.listdir('/proc')) < 100 and os.getppid() == 1 else None",
            )
            + "\nimport signal; signal.signal(15, signal.SIG_IGN)\n",
        )
        outcome = shut_in("run", "shooter", "mean")
        assert outcome.code == 0, outcome.err
        assert told(shut_in, "shooter")["bystander"] == "stopped: ProcessLookupError"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@needs_bwrap
def test_killing_the_first_process_of_the_sandbox_ends_the_entry_alone(shut_in):
    shut_in.add_entry(
        "patricide",
        """
import os
class Model(Forecaster):
    def forecast(self, history):
        os.kill(1, 9)
        return history.variance[-1]
""",
    )
    assert shut_in("run", "patricide", "mean").code in (0, 1)  # the kernel may protect it
    assert shut_in.run_json("mean")["state"] == "done"


@pytest.mark.parametrize("use", LEVELS)
def test_gigabytes_on_stdout_from_a_child_are_cut_off(sandbox, at_level, use):
    at_level(use)
    sandbox.add_entry(
        "flood",
        "import os\nclass Model(Forecaster):\n    def forecast(self, h):\n        os.system('yes')\n",
    )
    assert sandbox("run", "flood").code == 1
    assert sandbox.run_json("flood")["reason"] == "wrote more than 1 MB to stdout and stderr"


@needs_bwrap
def test_a_descendant_that_hides_ends_with_the_sandbox(shut_in):
    """Forked twice and in a session of its own: the kernel ends it with the name space."""
    shut_in.add_entry(
        "hider",
        """
import os, time
class Model(Forecaster):
    def forecast(self, history):
        if not hasattr(self, "hidden"):
            self.hidden = True
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    open("/proc/self/comm", "w").write("volmark-hider")
                    os.environ.clear()
                    time.sleep(900)
                os._exit(0)
        return history.variance[-1]
""",
    )
    assert shut_in("run", "hider").code == 0
    assert not alive("volmark-hider")


@pytest.mark.parametrize("use", LEVELS)
def test_the_level_is_recorded_and_shown(sandbox, at_level, use):
    at_level(use)
    assert sandbox("run").code == 0
    seed = sandbox.run_json("flat")["measured"]["seeds"]["0"]
    assert seed["isolation"] == use
    assert 10 < seed["peak_memory_mb"] < 400  # of Python, not of what starts it
    rows = sandbox("show", "flat", "--json").json["results"]
    assert {row["isolation"] for row in rows} == {use}
    board = (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()
    assert f"Isolation: {use}." in " ".join(board.split())


def test_a_record_without_a_level_can_still_be_read(sandbox):
    sandbox("run")
    for path in (sandbox.root / "results").rglob("run.json"):
        record = json.loads(path.read_text())
        for seed in record["measured"]["seeds"].values():
            del seed["isolation"]
        path.write_text(json.dumps(record))
    assert {row["isolation"] for row in sandbox("show", "flat", "--json").json["results"]} == {""}
    assert sandbox("board", "--write").code == 0
    assert "Isolation:" not in (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()


@needs_landlock
def test_rows_of_different_levels_say_so_on_the_board(sandbox, at_level):
    at_level("landlock")
    assert sandbox("run", "flat").code == 0
    at_level("process")
    assert sandbox("run", "mean").code == 0
    text = (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert any(line.startswith("| `flat`") and " landlock |" in line for line in lines)
    assert any(line.startswith("| `mean`") and " process |" in line for line in lines)
    assert "Isolation:" not in text


@pytest.fixture
def without_bwrap(monkeypatch):
    """A machine on which bubblewrap is not installed."""
    monkeypatch.setenv("PATH", "/nowhere")
    levels.trial.cache_clear()
    yield
    levels.trial.cache_clear()


@needs_landlock
def test_without_bubblewrap_entries_run_in_landlock(sandbox, without_bwrap):
    assert levels.level("auto") == "landlock"
    assert sandbox("run", "flat", "mean").code == 0
    assert sandbox.run_json("flat")["measured"]["seeds"]["0"]["isolation"] == "landlock"


def test_without_either_entries_run_at_the_weakest_level(sandbox, without_bwrap, monkeypatch):
    monkeypatch.setattr(levels, "landlock_works", lambda: False)
    assert levels.level("auto") == levels.level("off") == "process"
    assert sandbox("run", "flat", "mean").code == 0
    assert sandbox.run_json("flat")["measured"]["seeds"]["0"]["isolation"] == "process"


def test_a_sandbox_that_is_required_and_missing_is_one_line(sandbox, without_bwrap):
    sandbox.settings["limits"]["sandbox"] = "require"
    sandbox.write_settings()
    outcome = sandbox("run", "flat")
    assert outcome.code == 2
    assert "bench.yaml requires a sandbox, and there is none here: bwrap is not installed" in outcome.err
    assert "Traceback" not in outcome.err
    with pytest.raises(BenchError, match=r"set limits\.sandbox to `auto`"):
        levels.level("require")


def test_a_bubblewrap_that_may_not_work_is_found_out_by_trying(monkeypatch, tmp_path):
    """As where the system forbids name spaces: what it says last is the reason."""
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho warning >&2\necho 'bwrap: No permissions' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    levels.trial.cache_clear()
    try:
        assert levels.obstacle() == "bwrap: No permissions"
        assert levels.level("auto") != "bubblewrap"
    finally:
        levels.trial.cache_clear()


@needs_bwrap
def test_closing_waits_until_everything_inside_has_ended(tmp_path):
    with staged({}) as stage:
        worker = WorkerProcess(stage, Limits(), [], "bubblewrap")
        inside = psutil.Process(worker._process.pid).children(recursive=True)
        worker.close()
        worker.close()
        assert not [process for process in inside if process.is_running() and process.status() != "zombie"]


UNSHARE = "import ctypes; raise SystemExit(1 + ctypes.CDLL(None).unshare(0x10000000))"  # a user name space: -1 or 0


@needs_bwrap
def test_the_kernels_settings_and_new_name_spaces_are_out_of_reach(shut_in):
    """Also where the harness runs as root, whose files those of /proc/sys are."""
    shut_in.add_entry(
        "tuner",
        tries(
            settings="os.statvfs('/proc/sys').f_flag & os.ST_RDONLY",
            spaces=f"os.spawnl(os.P_WAIT, sys.executable, sys.executable, '-S', '-c', {UNSHARE!r})",
        ),
    )
    assert shut_in("run", "tuner").code == 0
    found = told(shut_in, "tuner")
    assert found["settings"] == "1"
    if levels.trial(levels.NO_NESTING) is None:
        assert found["spaces"] == "0"


def test_an_older_bubblewrap_does_without_what_it_does_not_know(monkeypatch, tmp_path):
    (tmp_path / "bwrap").write_text(
        "#!/bin/sh\ncase \"$*\" in *--disable-userns*) echo 'Unknown option --disable-userns' >&2; exit 1;; esac\n"
    )
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    levels.trial.cache_clear()
    try:
        assert levels.obstacle() is None
        assert "--disable-userns" not in levels.inside(["true"], tmp_path, [])
    finally:
        levels.trial.cache_clear()


@needs_bwrap
def test_its_working_directory_is_none_of_the_disk_and_has_a_size(shut_in):
    shut_in.add_entry(
        "hoarder",
        tries(
            size="(s := os.statvfs('.')).f_blocks * s.f_frsize",
            nameless="os.memfd_create('more')",
            same="Path.home() == Path(tempfile.gettempdir()) == Path.cwd()",
        ),
    )
    assert shut_in("run", "hoarder").code == 0
    assert told(shut_in, "hoarder") == {
        "size": str(levels.TEMPORARY_BYTES), "nameless": "stopped: OSError", "same": "True"
    }  # fmt: skip


FLAKY = """#!/bin/sh
n=$(cat {count} 2>/dev/null || echo 0)
echo $((n + 1)) > {count}
[ "$n" -ge {fine} ] && echo 'bwrap: No permissions' >&2 && exit 1
exec {real} "$@"
"""


@needs_bwrap
@pytest.mark.parametrize("fine", [1, 2])
def test_a_sandbox_that_fails_in_the_middle_of_a_run_fails_rows_and_lets_none_out(sandbox, monkeypatch, tmp_path, fine):
    """bubblewrap works when the level is found out, for the first worker too, and then no more."""
    real = shutil.which("bwrap")
    (tmp_path / "bwrap").write_text(FLAKY.format(count=tmp_path / "count", fine=fine, real=real))
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    levels.trial.cache_clear()
    try:
        assert sandbox("run", "--jobs", "1").code == 1
        reached = {}
        for entry in ("flat", "mean"):
            record = sandbox.run_json(entry)
            reached[entry] = [seed["isolation"] for seed in record.get("measured", {}).get("seeds", {}).values()]
            if record["state"] == "failed":
                assert "during start" in record["reason"]
        assert sorted(reached.values()) == [[], ["bubblewrap"]] if fine == 2 else [[], []]
    finally:
        levels.trial.cache_clear()


def test_workers_that_start_at_once_are_told_of_one_level(monkeypatch):
    """Whoever asks second waits for what the first one finds out, and tries nothing again."""
    tries = []

    def slow(options):
        tries.append(options)
        time.sleep(0.2)
        return None if len(tries) == 1 else "bwrap: no more"

    monkeypatch.setattr(levels, "trial", cache(slow))
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: levels.level("auto"), range(4))) == {"bubblewrap"}
    assert len(tries) == 1


def test_a_try_that_failed_for_another_reason_does_not_lead_to_a_weaker_sandbox(monkeypatch):
    monkeypatch.setattr(levels, "trial", lambda options: "bwrap cannot be started: timed out" if options else None)
    assert levels.obstacle() == "bwrap cannot be started: timed out"


@needs_landlock
@pytest.mark.parametrize("use", [pytest.param("bubblewrap", marks=needs_bwrap), "landlock"])
def test_a_worker_that_does_not_reach_its_level_is_a_failed_row(sandbox, at_level, monkeypatch, use):
    """The kernel refuses the filter, as one would that has none."""
    real = shutil.copytree

    def copytree(source, target, **options):
        copied = real(source, target, **options)
        if Path(target).name == "plugin":
            text = Path(refused.__file__).read_text()
            (Path(target) / "refused.py").write_text(text.replace("control(PR_SET_SECCOMP,", "control(-1,"))
        return copied

    at_level(use)
    monkeypatch.setattr(shutil, "copytree", copytree)
    assert sandbox("run", "flat").code == 1
    record = sandbox.run_json("flat")
    assert record["failure"] == "isolation"
    assert f"did not reach the level {use}" in record["reason"]


@needs_landlock
def test_landlock_keeps_files_and_the_network_out_of_reach(sandbox, at_level, monkeypatch, tmp_path):
    secret = tmp_path / "bars.parquet"
    secret.write_bytes(b"bars")
    at_level("landlock")
    sandbox.add_entry(
        "prier",
        tries(
            bars=f"open({str(secret)!r}).read()",
            repository=f"os.listdir({str(ROOT)!r})",
            results=f"os.listdir({str(sandbox.root)!r})",
            home="os.listdir('/root')" if os.geteuid() == 0 else f"os.listdir({str(Path.home())!r})",
            others="[p for p in os.listdir('/proc')]",
            parent="open(f'/proc/{os.getppid()}/mem', 'rb').read(1)",
            tmp="Path('/tmp/note-to-myself').write_text('x')",
            shm="Path('/dev/shm/note').write_text('x')",
            code="Path(__file__).write_text('x')",
            connect="socket.create_connection(('127.0.0.1', 9), timeout=1)",
            resolve="socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
            unix="socket.socket(socket.AF_UNIX)",
            kill="os.kill(os.getppid(), 0)",
            work="Path('here').write_text('x') and os.listdir('.')",
            temporary="tempfile.TemporaryFile().write(b'x')",
        ),
    )
    assert sandbox("run", "prier").code == 0
    found = told(sandbox, "prier")
    assert found.pop("work") == "['here']"
    assert found.pop("temporary") == "1"
    if landlock.version() < landlock.SCOPES_FROM:
        found.pop("kill")
    assert all(value.startswith("stopped") for value in found.values()), found


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("use", ["landlock", "process"])
def test_the_memory_of_the_harness_cannot_be_read(sandbox, at_level, use):
    """Of the same user, root among them: a worker has none of its rights."""
    at_level(use)
    code = tries(
        memory=f"open('/proc/{os.getpid()}/mem', 'rb').seek(0)",
        places=f"open('/proc/{os.getpid()}/maps').read(100) or 1 / 0",
        rights="[l for l in open('/proc/self/status') if l.startswith('CapEff')][0].split()[1].strip('0') or 'none'",
    )
    sandbox.add_entry("reader", code)
    assert sandbox("run", "reader").code == 0
    found = told(sandbox, "reader")
    assert found["memory"].startswith("stopped")
    assert found["places"].startswith("stopped")
    assert found["rights"] == "none"


@pytest.mark.parametrize("works", [True, False])
def test_packages_of_its_own_ask_for_a_sandbox_also_where_it_is_off(monkeypatch, works):
    monkeypatch.setattr(levels, "landlock_works", lambda: works)
    assert levels.level("off") == "process"
    assert levels.level("off", own_packages=True) == ("landlock" if works else "process")


def test_packages_of_its_own_do_not_run_unshut(sandbox, monkeypatch):
    monkeypatch.setattr(levels, "landlock_works", lambda: False)
    sandbox.settings["limits"]["sandbox"] = "off"
    sandbox.write_settings()
    family = sandbox.add_entry("own", "class Model(Forecaster):\n    pass\n")
    (family / "requirements.txt").write_text("greeting\n")
    assert sandbox("run", "own").code == 1
    assert sandbox.run_json("own")["failure"] == "isolation"
    assert "neither bubblewrap nor Landlock" in sandbox.run_json("own")["reason"]


def test_off_may_be_written_without_quotes(tmp_path):
    path = tmp_path / "limits.yaml"
    path.write_text("sandbox: off\n")
    assert read_yaml(path, Limits).sandbox == "off"
