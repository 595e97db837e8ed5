"""The child's side: one entry in an interpreter of its own, answering the harness over two pipes.

It is started with nothing but its two pipes and the folders of code it may import; what it knows of the data
is what the frames bring. Runs in the entry's environment, so it needs numpy alone.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.plugin import Forecaster, PathForecaster, PerSymbol, wire
from bench.plugin.answers import ContractError, as_values
from bench.plugin.history import Tape
from bench.plugin.shut import BUBBLEWRAP, Shut, die_with_parent, guarded
from bench.plugin.tasks import Rows, Task
from bench.plugin.watch import Watch
from bench.plugin.whereabouts import Warned, frames_of

TRACEBACK_LINES = 12
LIMITS = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: 1 << 30,  # largest file, also of those in memory
    resource.RLIMIT_NOFILE: 256,
}
"""What the kernel lets an entry have at most."""
OURS = "bench.plugin, bench.plugin.measures, bench.plugin.tasks and bench.plugin.recursions"
"""What an entry may import of ours, in words."""


Report = Callable[[str, dict[str, Any], NDArray[Any] | None], None]


class Worker:
    """One entry and its tape; what the entry reports goes to `report`.

    `hello` is what the harness's first frame says. Its `class` is `module:Class`, or, in the process of a person who
    tries a model out, the class itself.
    """

    def __init__(self, hello: dict[str, Any], report: Report) -> None:
        self.path = bool(hello["path"])
        self.task = Task(**hello["task"])
        self.model = self._make(hello["class"], self.task, hello["seed"], hello["parameters"])
        self.model._report = report
        self.tape = Tape([], [], has_vix=False, ahead=1, fit=Rows(0, -1), select=Rows(0, -1), fit_start=0)

    def _make(self, name: str | type, task: Task, seed: int, parameters: dict[str, Any]) -> Forecaster:
        made = _imported(name) if isinstance(name, str) else name
        if not issubclass(made, Forecaster):
            raise ContractError(f"{made.__name__} is no Forecaster: derive it from one of bench.plugin")
        if issubclass(made, PathForecaster) != self.path:
            kind, tasks = ("PathForecaster", "`tasks: path`") if self.path else ("Forecaster", "a list of tasks")
            raise ContractError(f"submission.yaml says {tasks}, so {made.__name__} must be a {kind}")
        model = made(task, seed=seed, **parameters)
        for key, value in (("task", task), ("seed", seed)):  # where __init__ forgot its super
            if not hasattr(model, key):
                setattr(model, key, value)
        return model

    def is_independent(self) -> bool:
        """Whether symbols may be spread: the mixin's own loops over symbols are in charge."""
        kind = type(self.model)
        return isinstance(self.model, PerSymbol) and kind.fit is PerSymbol.fit and kind.forecast is PerSymbol.forecast

    def answer(self, op: bytes, meta: dict[str, Any], payload: bytes | bytearray) -> bytes | None:
        """The frame that answers one of the harness's after its hello; None for those that it waits for nothing on."""
        if op == wire.TAPE:
            self.start_tape(meta)
            return None
        if op == wire.SESSIONS:
            self.sessions(meta, payload)
            return None
        if op == wire.FIT:
            self.model.fit(self.tape.history())
            return wire.frame(wire.DONE)
        return wire.frame(wire.ANSWER, payload=self.forecast())

    def start_tape(self, meta: dict[str, Any]) -> None:
        """Take in what the sessions will hold."""
        fit, select = (Rows(**meta.pop(name)) for name in ("fit", "select"))
        self.tape = Tape(**meta, fit=fit, select=select)

    def sessions(self, meta: dict[str, Any], payload: bytes | bytearray) -> None:
        """Take in newly known sessions."""
        n, known, symbols = meta["n"], meta["known"], len(self.tape.symbols)
        fields = len(self.tape.fields)
        cuts = np.cumsum([n, n, n * fields * symbols, known * symbols])
        flat = np.frombuffer(payload, dtype="<f8", count=int(cuts[-1]))
        dates = flat[: cuts[0]].view("<i8").view("datetime64[D]")
        values = flat[cuts[1] : cuts[2]].reshape(n, fields, symbols).transpose(1, 2, 0)
        self.tape.extend(dates, flat[cuts[0] : cuts[1]], values, flat[cuts[2] :].reshape(known, symbols).T)

    def forecast(self) -> bytes:
        """The entry's forecast as raw float64."""
        answer = self.model.forecast(self.tape.history())
        return as_values(answer, self.tape.symbols, self.task.ahead if self.path else None).tobytes()


def _imported(name: str) -> type[Forecaster]:
    """The class of `module:Class`."""
    module_name, _, class_name = name.rpartition(":")
    module = importlib.import_module(module_name)
    made = getattr(module, class_name, None)
    if isinstance(made, type) and issubclass(made, Forecaster):
        return made
    if made is not None:
        raise ContractError(
            f"{class_name} in {module_name}.py is no Forecaster: derive it from Forecaster or PathForecaster of "
            "bench.plugin"
        )
    has = sorted(
        key for key, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Forecaster) and value.__module__ == module_name
    )  # fmt: skip
    raise ContractError(f"{module_name}.py has no Forecaster class {class_name} (it has: {', '.join(has)})")


def _plain(value: Any) -> Any:
    """A value that JSON can carry: numpy scalars and arrays as numbers and lists, anything else as its text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def serve(read_fd: int, write_fd: int, watch: Watch, warned: Warned) -> None:
    """Answer frames until the harness closes the pipe; where it asks for that, tell what the entry does outside."""
    worker: Worker | None = None
    while True:
        op, meta, payload = wire.read_frame(read_fd)
        answer: bytes | None
        if op == wire.HELLO:
            if meta["watch"]:
                watch.start()
            warned.start()
            worker = Worker(meta, _reporting(write_fd, bool(meta["save_weights"])))
            answer = wire.frame(wire.DONE, {"independent": worker.is_independent()})
        elif worker is None:
            raise ContractError("the first frame must say hello")
        else:
            answer = worker.answer(op, meta, payload)
        if answer is not None:
            _tell(write_fd, watch, warned)
            wire.write_all(write_fd, answer)


def _reporting(write_fd: int, save_weights: bool) -> Report:
    """What sends progress, records, artifacts and, where they are kept, weights."""

    def report(kind: str, facts: dict[str, Any], array: NDArray[Any] | None) -> None:
        if kind == "weights" and not save_weights:
            return
        meta, payload = {"kind": kind, "facts": _plain(facts)}, b""
        if array is not None:
            values = np.ascontiguousarray(array, dtype="<f8")
            meta["shape"], payload = list(values.shape), values.tobytes()
        wire.write_all(write_fd, wire.frame(wire.REPORT, meta, payload))

    return report


def _tell(write_fd: int, watch: Watch, warned: Warned) -> None:
    for kind, news in (("watch", watch.news()), ("warned", warned.news())):
        for facts in news:
            wire.write_all(write_fd, wire.frame(wire.REPORT, {"kind": kind, "facts": facts}))


def _end_with_parent() -> None:
    """End this process when the harness, or what stands between them, is gone."""
    parent = os.getppid()
    die_with_parent()  # the kernel's own way works even while an extension holds the interpreter

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _limit_use() -> None:
    for what, most in LIMITS.items():
        allowed = resource.getrlimit(what)[1]
        least = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
        resource.setrlimit(what, (least, least))


def main(read_fd: int, write_fd: int, how: str, code: str) -> None:
    """Serve one entry, shut in as `how` says in JSON; an exception of the entry is sent as text, and all ends."""
    shut = Shut(**json.loads(how))
    if shut.level != BUBBLEWRAP:
        guarded()
    _limit_use()
    try:
        shut.take_hold()  # before there is a second thread, which would be left out
    except OSError as error:
        reason = f"the worker did not reach the level {shut.level}, which this run has: {error}"
        wire.write_all(write_fd, wire.frame(wire.ERROR, {"kind": wire.ISOLATION, "reason": reason}))
        sys.exit(1)
    _end_with_parent()
    watch, warned = Watch(code), Warned(code)
    try:
        serve(read_fd, write_fd, watch, warned)
    except EOFError:
        return
    except BaseException as error:  # noqa: BLE001 - whatever a stranger's code raises is its failure, told as text
        _tell(write_fd, watch, warned)
        wire.write_all(write_fd, wire.frame(wire.ERROR, told(error, code)))
        sys.exit(1)


def told(error: BaseException, code: str) -> dict[str, Any]:
    """What an exception is told as: its kind, reason, the end of its traceback, and the entry's own frames in it."""
    lines = traceback.format_exception(error)
    tail = "".join(lines).replace(code + os.sep, "").splitlines()[-TRACEBACK_LINES:]
    facts = {"traceback": "\n".join(tail)[:8000], "frames": frames_of(error, code)}
    if isinstance(error, ContractError):
        return {**facts, "kind": error.kind, "reason": str(error)[:2000]}
    if isinstance(error, ImportError) and (ours := _ours(error)):
        reason = f"imports {ours}: of volmark an entry has {OURS}; copy what it needs into its folder"
        return {**facts, "kind": wire.PROTOCOL, "reason": reason[:2000]}
    return {**facts, "kind": wire.RAISED, "reason": f"{type(error).__name__}: {error}"[:2000]}


def _ours(error: ImportError) -> str | None:
    """The module of ours that an entry wanted and does not have; None where it wanted something else."""
    name = str(error.name or "")
    if isinstance(error, ModuleNotFoundError):
        return name if name.startswith("bench.") else None
    return f"{getattr(error, 'name_from', None) or 'a name'} of bench" if name == "bench" else None
