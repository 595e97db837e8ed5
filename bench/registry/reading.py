"""A YAML file of a stranger, read and checked: what it is, how large and how deep, before anything is made of it."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from bench.errors import BenchError, did_you_mean

MOST_TEXT = 2**20
"""Bytes of a file that people write, such as a `submission.yaml`."""
MAX_DEPTH = 50
MAX_NODES = 50_000
"""Keys and values of a file, those that an alias stands for counted each time."""
MAX_PROBLEMS = 20
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Model = TypeVar("Model", bound=BaseModel)


def read_regular(path: Path, most: int = MOST_TEXT) -> bytes:
    """The bytes of a file; an `OSError` where it is a pipe, a device or a folder, or is larger than `most` bytes."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe without a writer holds up nobody
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file")
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most:,} bytes")
    return content


def read_yaml(path: Path, model: type[Model], **given: Any) -> Model:
    """Returns the checked contents of a YAML file, with `given` keys added; a `BenchError` names file and key."""
    shown, content = shown_path(path), read_keys(path)
    forbidden = sorted(set(given) & set(content))
    if forbidden:
        raise BenchError(f"{shown}: {forbidden[0]}: is set by the folder, remove the key")
    return checked(shown, model, {**content, **given})


def read_keys(path: Path) -> dict[str, Any]:
    """Returns keys and values of a YAML file as they stand in it; a `BenchError` names the file and what is wrong."""
    shown = shown_path(path)
    try:
        text = read_regular(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{shown}: cannot be read: {error}") from error
    try:
        _bounded(text)
        content = yaml.load(text, Loader=LOADER)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2010-02-31, or what is not bounded
        raise BenchError(f"{shown}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise BenchError(f"{shown}: expected keys and values, found {type(content).__name__}")
    for key in content:
        if not isinstance(key, str):
            raise BenchError(f"{shown}: the key {str(key)[:40]} is no text")
    return content


def shown_path(path: Path) -> str:
    """The last parts of a path as text that can be printed, whatever bytes are in its name."""
    parts = path.parts[-3:] if len(path.parts) > 3 else (str(path),)
    text = os.fsencode("/".join(parts)).decode(errors="replace")
    return "".join(c if c.isprintable() else "?" for c in text)


@dataclass
class _Node:
    """A mapping or a list that is still open: its name as an anchor, how much is in it, and its keys so far."""

    anchor: str | None
    is_map: bool = False
    nodes: int = 1
    children: int = 0
    keys: set[str] = field(default_factory=set)


def _bounded(text: str) -> None:
    """Raises a `ValueError` for a document that is nested too deeply, grows too large, or says a key twice.

    It looks at the events of the parser, so nothing of the document has been made yet: ten lines of aliases of
    aliases may stand for a thousand million values.
    """
    sizes: dict[str, int] = {}
    stack = [_Node(None)]
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            if len(stack) > MAX_DEPTH:
                raise ValueError(f"nested more than {MAX_DEPTH} deep, at {_at(event)}")
            stack.append(_Node(event.anchor, isinstance(event, yaml.MappingStartEvent)))
        elif isinstance(event, yaml.CollectionEndEvent):
            done = stack.pop()
            if done.anchor is not None:
                sizes[done.anchor] = done.nodes
            _add(stack[-1], done.nodes, event)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor is None or event.anchor not in sizes:
                raise ValueError(
                    f"the alias *{str(event.anchor)[:40]} stands for nothing that is whole, at {_at(event)}"
                )
            _add(stack[-1], sizes[event.anchor], event)
        elif isinstance(event, yaml.ScalarEvent):
            if event.anchor is not None:
                sizes[event.anchor] = 1
            _key_once(stack[-1], event)
            _add(stack[-1], 1, event)


def _add(node: _Node, nodes: int, event: yaml.Event) -> None:
    node.nodes += nodes
    node.children += 1
    if node.nodes > MAX_NODES:
        raise ValueError(f"holds more than {MAX_NODES:,} values, aliases counted in full, at {_at(event)}")


def _key_once(node: _Node, event: yaml.ScalarEvent) -> None:
    """A `ValueError` where a mapping has this key already: the last one would count without a word."""
    if node.is_map and node.children % 2 == 0:
        if event.value in node.keys:
            raise ValueError(f"the key {event.value[:40]!r} stands twice, at {_at(event)}")
        node.keys.add(event.value)


def _at(event: yaml.Event) -> str:
    return f"line {event.start_mark.line + 1}" if event.start_mark else "its end"


def checked(where: str, model: type[Model], values: dict[str, Any]) -> Model:
    """Returns the checked values; a `BenchError` has one line for every mistake, `where` it is and its key."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = _problems(error, model)
        rest = len(problems) - MAX_PROBLEMS
        told = problems[:MAX_PROBLEMS] + ([f"and {rest} more mistakes"] if rest > 0 else [])
        raise BenchError("\n".join(f"{where}: {problem}" for problem in told)) from error


def _problems(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line per mistake: the key, then what is wrong with it."""
    lines = []
    for item in error.errors():
        where = [str(part) for part in item["loc"]]
        if item["type"] == "extra_forbidden":
            lines.append(f"{'.'.join(where)}: unknown key{did_you_mean(where[-1], _keys(model, where[:-1]))}")
        elif item["type"] == "missing":
            lines.append(f"{'.'.join(where)}: missing key")
        else:
            message = item["msg"].removeprefix("Value error, ")
            lines.append(f"{'.'.join(where)}: {message}" if where else message)
    return lines


def _keys(model: type[BaseModel], where: list[str]) -> list[str]:
    """The keys allowed at a place inside a model; names of map items and list positions are passed over."""
    models = [model]
    for part in where:
        inside = [each for found in models if part in found.model_fields
                  for each in _models_in(found.model_fields[part].annotation)]  # fmt: skip
        models = inside or models
    return [info.alias or name for found in models for name, info in found.model_fields.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The pydantic models inside a type such as `dict[str, Split]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]
