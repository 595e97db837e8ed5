"""Entries that fail, hang, crash, flood, lie or pry: each is a `failed` record, and the rest goes on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from conftest import DATASET, ROOT, Outcome, made_once, made_up_bars, made_up_vix

from bench.run import execute as executor
from bench.run.stage import ABANDONED_SECONDS, STAGE, staged, sweep_stages

FAILING = {
    "raises in forecast": (
        """
class Model(Forecaster):
    def forecast(self, history):
        if len(history) > 300:
            raise ValueError("no idea any more")
        return history.variance[-1]
""",
        "ValueError: no idea any more",
    ),
    "raises in fit": (
        """
class Model(Forecaster):
    def fit(self, history):
        return {}["nothing"]
""",
        "KeyError: 'nothing'",
    ),
    "raises in init": (
        """
class Model(Forecaster):
    def __init__(self, task, seed=0):
        raise RuntimeError("not today")
""",
        "RuntimeError: not today",
    ),
    "import fails": ("import no_such_module", "No module named 'no_such_module'"),
    "import exits": ("raise SystemExit(7)", "SystemExit: 7"),
    "syntax": ("def (", "SyntaxError"),
    "class is missing": ("class Modle(Forecaster):\n    pass", "has no Forecaster class Model (it has: Modle)"),
    "forecast is missing": ("class Model(Forecaster):\n    pass", "has no `forecast(history)`"),
    "wrong kind": (
        "class Model(PathForecaster):\n    pass",
        "submission.yaml says a list of tasks, so Model must be a Forecaster",
    ),
    "hangs in forecast": (
        """
import time
class Model(Forecaster):
    def forecast(self, history):
        time.sleep(60)
""",
        "forecast on 2010-12-31 took longer than 2 s",
    ),
    "hangs in fit": (
        """
class Model(Forecaster):
    def fit(self, history):
        while True:
            pass
""",
        "fit on 2010-12-31 took longer than 3 s",
    ),
    "exits": (
        """
import os
class Model(Forecaster):
    def forecast(self, history):
        os._exit(3)
""",
        "ended with exit status 3 during forecast on 2010-12-31",
    ),
    "crashes": (
        """
import ctypes
class Model(Forecaster):
    def forecast(self, history):
        print("going down")
        import sys; sys.stdout.flush()
        ctypes.string_at(0)
""",
        "was killed by SIGSEGV during forecast on 2010-12-31; it last wrote: going down",
    ),
    "eats memory": (
        """
import time
class Model(Forecaster):
    def forecast(self, history):
        hoard = []
        while True:
            hoard.append(np.ones(2_000_000))
            time.sleep(0.005)
""",
        "used more than 400 MB of memory",
    ),
    "lets a child eat memory": (
        """
import os, time
class Model(Forecaster):
    def forecast(self, history):
        if os.fork() == 0:
            hoard = np.ones(80_000_000)
            time.sleep(60)
        time.sleep(60)
""",
        "used more than 400 MB of memory",
    ),
    "floods stdout": (
        """
class Model(Forecaster):
    def forecast(self, history):
        while True:
            print("x" * 10_000)
""",
        "wrote more than 1 MB to stdout and stderr",
    ),
    "floods records": (
        """
class Model(Forecaster):
    def forecast(self, history):
        while True:
            self.record(noise="x" * 10_000)
""",
        "records and artifacts exceed 1 MB",
    ),
    "huge artifact": (
        """
class Model(Forecaster):
    def forecast(self, history):
        self.artifact("big", np.zeros(1_000_000))
        return history.variance[-1]
""",
        "sent an array of more than 1 MB",
    ),
    "artifact that is not finite": (
        """
class Model(Forecaster):
    def forecast(self, history):
        self.artifact("attention", [[1.0, float("inf")]])
        return history.variance[-1]
""",
        "the artifact attention has values that are not finite",
    ),
    "empty artifact": (
        """
class Model(Forecaster):
    def forecast(self, history):
        self.artifact("attention", np.zeros((2, 0)))
        return history.variance[-1]
""",
        "the artifact attention has the shape (2, 0)",
    ),
    "artifacts that could hold prices": (
        """
class Model(Forecaster):
    def forecast(self, history):
        for i in range(40):
            self.artifact(f"bars/{i}", np.ones(1000))
        return history.variance[-1]
""",
        "artifacts exceed 256 kB",
    ),
    "a number of a thousand digits": (
        """
class Model(Forecaster):
    def forecast(self, history):
        self.record(fit_loss=[1.0, 10**1000], select_loss=[1.0, 1.0], best_epoch=1)
        return history.variance[-1]
""",
        "reported a number beyond 1e+100",
    ),
    "a best epoch of 1e308": (
        """
class Model(Forecaster):
    def forecast(self, history):
        self.record(fit_loss=[1.0], select_loss=[1e308], best_epoch=10**308)
        return history.variance[-1]
""",
        "reported a number beyond 1e+100",
    ),
    "artifact with a path": (
        """
class Model(Forecaster):
    def forecast(self, history):
        self.artifact("../../evil", [1.0])
        return history.variance[-1]
""",
        "an artifact's name is letters, digits and ._/-",
    ),
    "empty records": (
        """
class Model(Forecaster):
    def forecast(self, history):
        while True:
            self.record()
""",
        "records and artifacts exceed 1 MB",
    ),
    "dies while a child holds the pipes": (
        """
import os, time
class Model(Forecaster):
    def forecast(self, history):
        if os.fork() == 0:
            os.setsid()
            time.sleep(5)
            os._exit(0)
        os._exit(4)
""",
        "ended with exit status 4 during forecast",
    ),
    "takes its time": (
        """
import time
class Model(Forecaster):
    def forecast(self, history):
        time.sleep(0.9)
        return history.variance[-1]
""",
        "the run took longer than 6 s",
    ),
    "wrong shape": (
        """
class Model(Forecaster):
    def forecast(self, history):
        return history.variance[-2:]
""",
        "forecast has shape (2, 3), expected (3,)",
    ),
    "one number": (
        """
class Model(Forecaster):
    def forecast(self, history):
        return 1e-4
""",
        "forecast has shape (), expected (3,)",
    ),
    "nothing": (
        """
class Model(Forecaster):
    def forecast(self, history):
        return None
""",
        "forecast returned None: return an array, one variance for each symbol",
    ),
    "text": (
        """
class Model(Forecaster):
    def forecast(self, history):
        return "a lot"
""",
        "forecast returned a str: return an array",
    ),
    "NaN": (
        """
class Model(Forecaster):
    def forecast(self, history):
        answer = history.variance[-1].copy()
        if len(history) == 270:
            answer[1] = np.nan
        return answer
""",
        "forecast for BBB on 2011-01-14 is NaN",
    ),
    "negative": (
        """
class Model(Forecaster):
    def forecast(self, history):
        return -history.variance[-1]
""",
        "forecast for AAA on 2010-12-31 is -",
    ),
    "infinite": (
        """
class Model(Forecaster):
    def forecast(self, history):
        return np.array([1e-4, 1e-4, np.inf])
""",
        "forecast for CCC on 2010-12-31 is inf",
    ),
    "subnormal": (
        """
class Model(Forecaster):
    def forecast(self, history):
        return np.full(3, 1e-320)
""",
        "forecast for AAA on 2010-12-31 is 9.99989e-321, no daily variance (1e-16 to 10000)",
    ),
    "undeclared input": (
        """
class Model(Forecaster):
    def forecast(self, history):
        return history.volume[-1]
""",
        "history.volume is not handed out: add `volume` to `reads` in submission.yaml",
    ),
    "writes on the view": (
        """
class Model(Forecaster):
    def forecast(self, history):
        history.variance[-1] = 1.0
""",
        "read-only",
    ),
    "garbage on the pipe": (
        """
import os, sys
class Model(Forecaster):
    def forecast(self, history):
        os.write(int(sys.argv[2]), b"\\x80\\x04" + b"cos\\nsystem\\n(S'true'\\ntR." * 10)
        import time; time.sleep(5)
""",
        "sent a malformed message",
    ),
    "promises gigabytes": (
        """
import os, struct, sys
class Model(Forecaster):
    def forecast(self, history):
        os.write(int(sys.argv[2]), struct.pack("<cIQ", b"R", 0, 1 << 40))
        import time; time.sleep(5)
""",
        "sent an array of more than",
    ),
    "answers out of turn": (
        """
import os, struct, sys
class Model(Forecaster):
    def fit(self, history):
        os.write(int(sys.argv[2]), struct.pack("<cIQ", b"R", 0, 8) + bytes(8))
    def forecast(self, history):
        return history.variance[-1]
""",
        "has 0 bytes, expected 24",
    ),
    "closes the pipe": (
        """
import os, sys, time
class Model(Forecaster):
    def forecast(self, history):
        os.close(int(sys.argv[2]))
        time.sleep(30)
""",
        "closed the harness's pipe during forecast",
    ),
    "bad JSON": (
        """
import os, struct, sys, time
class Model(Forecaster):
    def forecast(self, history):
        text = b"[" * 100_000
        os.write(int(sys.argv[2]), struct.pack("<cIQ", b"L", len(text), 0) + text)
        time.sleep(5)
""",
        "sent a malformed message",
    ),
}


TOO_SLOW = ("hangs in forecast", "hangs in fit", "takes its time")
"""What ends by a limit of time: the others are given more, so that a busy machine does not fail them for that."""


def name_of(what: str) -> str:
    return what.replace(" ", "-").lower()


@pytest.fixture(scope="module")
def said() -> list[Outcome]:
    """What the two runs of `broken` have said."""
    return []


@pytest.fixture
def broken(sandbox, said, tmp_path_factory):
    """A benchmark with all failing entries, run side by side."""

    def run():
        tight = sandbox.settings["limits"] | {"run_seconds": 6}
        ample = tight | {"run_seconds": 120, "fit_seconds": 60, "forecast_seconds": 60}
        slow = [name_of(what) for what in TOO_SLOW]
        for names, limits in (((), ample), (slow, tight)):
            for what in FAILING:
                if (what in TOO_SLOW) is bool(names):
                    sandbox.add_entry(name_of(what), FAILING[what][0])
            sandbox.settings["limits"] = limits
            sandbox.write_settings()
            said.append(sandbox("run", *names, "--jobs", "4"))

    made_once(sandbox, tmp_path_factory.getbasetemp() / "broken", run)
    return sandbox


@pytest.mark.parametrize("what", FAILING)
def test_a_broken_entry_is_a_failed_record_and_the_rest_goes_on(broken, said, what):
    outcome, name = said[what in TOO_SLOW], name_of(what)
    assert outcome.code == 1
    record = broken.run_json(name)
    assert record["state"] == "failed"
    assert FAILING[what][1] in record["reason"]
    assert f"failed: {name} next-day: {record['reason']}" in outcome.err
    assert "Traceback" not in outcome.err
    assert not (broken.root / f"results/tiny/official/next-day/{name}/forecasts.parquet").exists()
    assert broken.run_json("flat")["state"] == broken.run_json("mean")["state"] == "done"
    board = (broken.root / "results/tiny/LEADERBOARD.md").read_text()
    assert re.search(rf"`{name}`.*failed", board)


def test_the_traceback_is_kept_without_paths_of_this_machine(sandbox):
    sandbox.add_entry("broken", FAILING["raises in forecast"][0])
    sandbox("run", "broken")
    traceback = sandbox.run_json("broken")["traceback"]
    assert 'entry/model.py", line' in traceback
    assert "no idea any more" in traceback
    assert str(sandbox.root) not in traceback


def test_a_failed_entry_is_tried_again_and_recovers(sandbox):
    sandbox.add_entry("broken", FAILING["NaN"][0])
    assert sandbox("run").code == 1
    assert sandbox("run", "--plan", "--json").json["run"] == ["broken next-day"]
    sandbox.add_entry("broken", "class Model(Forecaster):\n    def forecast(self, h):\n        return h.variance[-1]\n")
    assert sandbox("run").code == 0
    assert sandbox.run_json("broken")["state"] == "done"
    assert "reason" not in sandbox.run_json("broken")


@pytest.mark.parametrize("options", ["", "start_new_session=True"])
def test_what_an_entry_started_ends_with_it(sandbox, options):
    sandbox.add_entry(
        "forker",
        """
import subprocess
class Model(Forecaster):
    def forecast(self, history):
        if not hasattr(self, "child"):
            self.child = subprocess.Popen(["sleep", "987"], OPTIONS)
        return history.variance[-1]
""".replace("OPTIONS", options),
    )
    assert sandbox("run", "forker").code == 0
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _sleepers():
        time.sleep(0.05)
    assert not _sleepers()


def _sleepers() -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if process.info["cmdline"] == ["sleep", "987"] and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def test_strange_reports_do_no_harm(sandbox):
    sandbox.add_entry(
        "odd",
        """
class Model(Forecaster):
    def forecast(self, history):
        nested = []
        for _ in range(60):
            nested = [nested]
        self.record(nan=float("nan"), escape="\\x1b[31m red \\ud800", nested=nested, big=10**30, array=np.arange(3))
        self.progress(5, 0, message="[bold]\\x1b[0m", done_at=object())
        self.artifact("curve", [1.0, 2.0])
        return history.variance[-1]
""",
    )
    assert sandbox("run", "odd").code == 0
    record = sandbox.run_json("odd")["measured"]["seeds"]["0"]["records"][0]
    assert record["nan"] == "nan"
    assert "\x1b" not in record["escape"]
    assert record["array"] == [0, 1, 2]


def test_where_a_worker_runs(sandbox):
    """Its import path and environment are the harness's choice, and a large file is refused."""
    sandbox.add_entry(
        "where",
        """
import os, sys
class Model(Forecaster):
    def forecast(self, history):
        if not hasattr(self, "told"):
            self.told = True
            try:
                with open("large", "wb") as file:
                    file.truncate(2 << 30)
                large = True
            except OSError:
                large = False
            self.record(path=sys.path, flags=[sys.flags.safe_path, sys.flags.no_site, sys.flags.no_user_site],
                        environment=sorted(os.environ), here=os.listdir("."), large=large, hash=hash("a") == hash("a"))
        return history.variance[-1]
""",
    )
    assert sandbox("run", "where").code == 0
    told = sandbox.run_json("where")["measured"]["seeds"]["0"]["records"][0]
    assert told["flags"] == [True, 1, 1]
    assert str(ROOT) not in told["path"]
    assert str(sandbox.root) not in " ".join(told["path"])
    assert not [name for name in told["environment"] if name.startswith(("BENCH", "PYTEST", "VIRTUAL"))]
    assert set(told["here"]) <= {"large"}
    assert told["large"] is False


def test_a_worker_ends_with_a_killed_harness(sandbox):
    sandbox.add_entry(
        "sleeper",
        """
import ctypes
class Model(Forecaster):
    def fit(self, history):
        ctypes.PyDLL(None).sleep(987)  # holds the interpreter: no thread of it runs
    def forecast(self, history):
        return history.variance[-1]
""",
    )
    sandbox.settings["limits"]["fit_seconds"] = 900
    sandbox.write_settings()
    program = "import sys; from bench.cli import main; sys.exit(main())"
    run = subprocess.Popen([sys.executable, "-c", program, "--root", str(sandbox.root), "run", "sleeper"])
    stages = _until(lambda: [p for p in Path(tempfile.gettempdir()).glob("volmark-*/work") if _works_in(p)])
    run.kill()
    run.wait()
    assert stages
    assert _until(lambda: not any(_works_in(stage) for stage in stages))
    assert sandbox("run", "flat").code == 0  # sweeps what the killed one left
    assert not any(stage.exists() for stage in stages)


@pytest.mark.parametrize("use", ["auto", "off"])
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells of a parent's end")
def test_what_an_entry_started_ends_with_a_killed_harness(sandbox, use):
    """Forked twice, in a session of its own, nothing in its environment: the guard has it all the same."""
    sandbox.settings["limits"] |= {"fit_seconds": 900, "run_seconds": 900, "sandbox": use}
    sandbox.write_settings()
    sandbox.add_entry(
        "parent",
        """
import ctypes, os, time
def name(what):
    ctypes.CDLL(None).prctl(15, what)
class Model(Forecaster):
    def fit(self, history):
        for depth in range(3):
            if os.fork() == 0:
                name(b"volmark-orphan")
                if depth:
                    os.setsid()
                    if os.fork():
                        os._exit(0)
                os.environ.clear()
                time.sleep(900)
        time.sleep(900)
""",
    )
    program = "import sys; from bench.cli import main; sys.exit(main())"
    run = subprocess.Popen([sys.executable, "-c", program, "--root", str(sandbox.root), "run", "parent"])
    try:
        assert _until(lambda: len(_named("volmark-orphan")) == 3, 30)
    finally:
        run.kill()
        run.wait()
    assert _until(lambda: not _named("volmark-orphan"))


def _named(name: str) -> list[psutil.Process]:
    found = psutil.process_iter(["name", "status"])
    return [p for p in found if p.info["name"] == name and p.info["status"] != psutil.STATUS_ZOMBIE]


def _works_in(stage: Path) -> bool:
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(stage):
                return True
        except psutil.Error:
            continue
    return False


def _until(condition, seconds: float = 10.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    return condition()


def test_hostile_text_cannot_write_markdown(sandbox):
    sandbox.add_entry(
        "rude",
        """
class Model(Forecaster):
    def forecast(self, history):
        raise ValueError("| <script>x</script> | \\n# [best](http://x) `model`")
""",
    )
    sandbox("run")
    board = (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()
    assert "<script>" not in board
    assert "\n# [best]" not in board


PRYING = """
import gc, os, sys

GRID = 2.0**-10

class Model(Forecaster):
    '''Looks for a close of a later session: they are 1234.5 + position * GRID.'''

    def forecast(self, history):
        later = 1234.5 + (len(history) - 0.5) * GRID
        if len(history) % 9 == 0:
            arrays = self.in_arrays(later - GRID, later), self.in_arrays(later, 1234.5 + 400 * GRID)
            memory = self.in_memory(later - GRID, later), self.in_memory(later, 1234.5 + 400 * GRID)
            self.record(sees_the_present_in=[arrays[0], memory[0]])
            if arrays[1] or memory[1]:
                raise RuntimeError("the future is here")
        for text in self.texts():
            if SECRET in text:
                raise RuntimeError("told of a place: " + text[:200])
        return history.variance[-1]

    def in_arrays(self, low, high):
        frame = sys._getframe(1)
        pool = [item for item in gc.get_referents(*gc.get_objects()) if isinstance(item, np.ndarray)]
        while frame is not None:
            pool += [*frame.f_locals.values(), *frame.f_globals.values()]
            frame = frame.f_back
        hits = 0
        for item in pool:
            while isinstance(item, np.ndarray):
                hits += item.dtype.kind == "f" and int(((item > low) & (item < high)).sum())
                item = item.base
        return hits

    def in_memory(self, low, high):
        hits = 0
        with open("/proc/self/maps") as maps:
            regions = maps.readlines()
        with open("/proc/self/mem", "rb", 0) as memory:
            for line in regions:
                span, rights, *_ = line.split()
                start, end = (int(part, 16) for part in span.split("-"))
                for at in range(start, end if rights.startswith("rw") else start, 1 << 20):
                    try:
                        memory.seek(at)
                        content = memory.read(min(1 << 20, end - at))
                    except (OSError, ValueError, OverflowError):
                        break
                    values = np.frombuffer(content, dtype=float, count=len(content) // 8)
                    with np.errstate(invalid="ignore"):
                        hits += int(((values > low) & (values < high)).sum())
        return hits

    def texts(self):
        yield from (f"{key}={value}" for key, value in os.environ.items())
        yield os.getcwd()
        yield from os.listdir(".")
        yield from sys.path
        yield from sys.argv
        yield open("/proc/self/cmdline").read()
        for fd in os.listdir("/proc/self/fd"):
            try:
                yield os.readlink(f"/proc/self/fd/{fd}")
            except OSError:
                pass
"""


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="searches its memory through /proc")
def test_the_future_is_not_there(sandbox):
    bars = made_up_bars()
    position = bars.groupby("symbol").cumcount()
    bars["close"] = 1234.5 + position * 2.0**-10
    bars["open"] = bars["close"]
    bars["high"] = bars["close"] * (1.01 + 0.001 * (position % 7))
    bars["low"] = bars["close"] / 1.01
    sandbox.add_dataset("tiny", DATASET, bars, made_up_vix())
    sandbox.add_entry("pry", PRYING.replace("SECRET", repr(str(sandbox.root))), reads=["bars", "vix"])
    outcome = sandbox("run", "pry", "--results", str(sandbox.root / "results"))
    assert outcome.code == 0, outcome.err
    records = sandbox.run_json("pry")["measured"]["seeds"]["0"]["records"]
    assert len(records) > 5
    assert all(min(record["sees_the_present_in"]) > 0 for record in records)  # the search does search


@pytest.mark.parametrize("use", ["auto", "off"])
def test_folders_too_deep_to_remove_by_recursion_are_removed(sandbox, use):
    sandbox.settings["limits"] |= {"sandbox": use, "forecast_seconds": 6}
    sandbox.write_settings()
    sandbox.add_entry(
        "digger",
        """
import os
class Model(Forecaster):
    def fit(self, history):
        self.record(stage=os.path.dirname(os.getcwd()))
        for _ in range(3000):
            os.mkdir("d")
            os.chdir("d")
    def forecast(self, history):
        return history.variance[-1]
""",
    )
    outcome = sandbox("run", "digger", "mean")
    assert outcome.code == 0, outcome.err
    (record,) = sandbox.run_json("digger")["measured"]["seeds"]["0"]["records"]
    assert not Path(record["stage"]).exists()


def test_what_nobody_foresaw_costs_one_entry_its_result(sandbox, monkeypatch):
    right = executor.walk

    def wrong(job, panel, **options):
        if job.entry == "flat":
            raise RecursionError("too deep")
        return right(job, panel, **options)

    monkeypatch.setattr(executor, "walk", wrong)
    assert sandbox("run", "flat", "mean").code == 1
    record = sandbox.run_json("flat")
    assert record["state"] == "failed"
    assert record["reason"] == "the harness broke off: RecursionError: too deep"
    assert sandbox.run_json("mean")["state"] == "done"


def test_stages_without_a_mark_are_swept_when_nobody_can_be_using_them(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    new, old, other = (tmp_path / name for name in (f"{STAGE}new", f"{STAGE}old", "volmark-check-old"))
    past = time.time() - 2 * ABANDONED_SECONDS
    for folder in (new, old, other):
        folder.mkdir()
    for folder in (old, other):
        os.utime(folder, (past, past))
    with staged({}) as held:
        sweep_stages()
        assert held.is_dir()
    assert new.is_dir()
    assert other.is_dir()
    assert not old.exists()


def test_the_whole_crew_is_watched_while_one_is_waited_for(sandbox):
    """The second worker hoards and the first one sleeps."""
    sandbox.settings["limits"] |= {"forecast_seconds": 5, "fit_seconds": 5}
    sandbox.write_settings()
    sandbox.add_entry(
        "pair",
        """
import time
class Model(PerSymbol, Forecaster):
    def fit_symbol(self, series):
        if series.symbol == "CCC":
            self.hoard = np.ones(80_000_000)
            time.sleep(1)
            del self.hoard
        else:
            time.sleep(2)
    def forecast_symbol(self, series):
        return series.variance[-1]
""",
    )
    assert sandbox("run", "pair", "--jobs", "2").code == 1
    assert sandbox.run_json("pair")["reason"] == "used more than 400 MB of memory"


@pytest.mark.parametrize("command", ["run", "check"])
def test_no_file_of_an_entry_stands_in_for_a_package_of_the_worker(sandbox, command):
    """NumPy comes from the packages, before the entry's folder is in reach."""
    folder = sandbox.add_entry(
        "mask", "class Model(Forecaster):\n    def forecast(self, h):\n        return h.variance[-1]"
    )
    (folder / "numpy").mkdir()
    (folder / "numpy" / "__init__.py").write_text("raise RuntimeError('in place of a package')")
    outcome = sandbox(command, "mask")
    assert outcome.code == 0, outcome.out + outcome.err


def test_modules_of_an_entry_win_over_packages(sandbox):
    folder = sandbox.add_entry(
        "own",
        "from pandas import HERE\nclass Model(Forecaster):\n    def forecast(self, h):\n        return h.variance[-1]",
    )
    (folder / "pandas.py").write_text("HERE = True\n")
    assert sandbox("run", "own").code == 0
