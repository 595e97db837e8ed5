"""A family's modules import each other by name, as in a worker, which has the family's folder on its path."""

import importlib.util
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "networks"))
collect_ignore_glob = [] if importlib.util.find_spec("torch") else ["networks/*.py"]
