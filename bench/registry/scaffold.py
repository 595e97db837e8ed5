"""The folder of a new entry: a model that works, its metadata with every field explained, and a test."""

from __future__ import annotations

import getpass
import json
import re
import subprocess
from importlib.resources import files
from pathlib import Path
from string import Template

from pydantic import TypeAdapter, ValidationError

from bench.errors import BenchError, did_you_mean
from bench.files import write_atomic
from bench.registry.config import Name

PATH_TASK = {"task": "path", "ahead": "21", "shape": "(21, 3)", "tasks": "path"}
ONE_TASK = {"task": "next-day", "ahead": "1", "shape": "(3,)", "tasks": "[next-day, week-ahead, month-ahead]"}
KINDS: dict[str, dict[str, str]] = {
    "per-symbol": {
        **PATH_TASK,
        "line": "From the last month's level to the long-run mean, at the rate of past months",
        "description": "Volatility that returns to its mean, each symbol on its own.",
        "parameters": "{window: 22}", "refit": "252", "reads": "[bars]", "seeds": "1", "import_or_skip": "",
    },
    "pooled": {
        **ONE_TASK,
        "line": "Day, week and month of the symbol and the day of all, in logs, one regression",
        "description": "Regressions in logs whose coefficients are the same for all symbols.",
        "parameters": "{}", "refit": "252", "reads": "[bars, cross-section]", "seeds": "1", "import_or_skip": "",
    },
    "torch": {
        **ONE_TASK,
        "line": "Two layers on the last 22 days in logs, one network for all symbols",
        "description": "Small networks on the logs of the daily measure.",
        "parameters": "{}", "refit": "null", "reads": "[bars]", "seeds": "3",
        "import_or_skip": 'import pytest\n\npytest.importorskip("torch")\n',
    },
}  # fmt: skip
"""What the files of each kind differ in."""


def scaffold(name: str, kind: str, folder: Path, author: str | None = None) -> list[Path]:
    """Write the files of an entry into a new folder, and return their paths; `author`: None for the one git knows.

    Raises a `BenchError` where the name is none of an entry, the kind is unknown, or the folder is there already.
    """
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError:
        letters = "lower-case letters, digits, `.`, `_`, `-`, the first one a letter or a digit"
        raise BenchError(f"`{name}` cannot be the name of an entry: use {letters}") from None
    if kind not in KINDS:
        raise BenchError(f"no kind `{kind}`{did_you_mean(kind, KINDS)}")
    if folder.exists():
        raise BenchError(f"{folder} is there already: choose another name, or remove it")
    words = {
        **KINDS[kind],
        "name": name,
        "class_name": class_name(name),
        "key": re.sub(r"\W", "", name),
        "author": json.dumps(author or _author(), ensure_ascii=False),
    }
    templates = files("bench.registry") / "templates"
    written = []
    for target in ("model.py", "submission.yaml", "test_model.py"):
        source = f"{kind}.py" if target == "model.py" else target
        text = Template((templates / f"{source}.txt").read_text(encoding="utf-8")).substitute(words)
        write_atomic(folder / target, text.encode())
        written.append(folder / target)
    return written


def class_name(name: str) -> str:
    """The name of the class of an entry.

    >>> class_name("my-model.v2"), class_name("3d")
    ('MyModelV2', 'Model3d')
    """
    words = "".join(word[:1].upper() + word[1:] for word in re.split(r"[._-]+", name))
    return words if words[:1].isalpha() else f"Model{words}"


def family_first(name: str) -> str:
    """A name of two words as citations want that of a person; any other as it is.

    >>> family_first("Fulvio Corsi"), family_first("Corsi, Fulvio"), family_first("Ludwig van Beethoven")
    ('Corsi, Fulvio', 'Corsi, Fulvio', 'Ludwig van Beethoven')
    """
    given, _, family = name.partition(" ")
    return f"{family}, {given}" if family and not {" ", ","} & set(given + family) else name


def _author() -> str:
    """Who git says is at work here, else the name of the user's account."""
    try:
        done = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, check=False)
    except OSError:
        done = None
    if done is not None and done.stdout.strip():
        return family_first(done.stdout.strip())
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name
        return "Anonymous"
