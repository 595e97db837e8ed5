"""Running entries: what is missing, the clock that hands out days one by one, the child process and its limits.

The only room that starts a stranger's code.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _CallableRoom(ModuleType):
    """This room, which has the name of the function `bench.api.run` and so stands for it where it is called."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return import_module("bench.api").run(*arguments, **options)


sys.modules[__name__].__class__ = _CallableRoom
