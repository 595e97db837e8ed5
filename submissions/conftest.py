"""A family's modules import each other by name, as in a worker, which has the family's folder on its path."""

import importlib.util
import sys
from pathlib import Path

NEEDS = {"networks": "torch", "gbt": "lightgbm"}
"""What a family imports that may not be installed here."""

sys.path += [str(Path(__file__).parent / family) for family in ("networks", "garch")]
collect_ignore_glob = [f"{family}/*.py" for family, package in NEEDS.items() if not importlib.util.find_spec(package)]
