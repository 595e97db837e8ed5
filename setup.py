"""The wheel brings what `bench init` writes: the registry, datasets that need no bars of ours, classical entries."""

import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # the package itself is not installed while it is built

from bench.registry.outset import NOT_SHIPPED, SHIPPED  # noqa: E402


class Build(build_py):
    """Copies them to `bench/registry/shipped` of what is built."""

    def run(self) -> None:
        """Build the package, then copy."""
        super().run()
        if self.editable_mode:
            return
        for name in SHIPPED:
            source, target = HERE / name, Path(self.build_lib) / "bench" / "registry" / "shipped" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True, ignore=NOT_SHIPPED)
            else:
                shutil.copy(source, target)


setup(cmdclass={"build_py": Build})
