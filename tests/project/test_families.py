"""How the tests of families are collected: each among its own modules, none that lacks a package."""

import shutil
import subprocess
import sys

from conftest import ROOT

MODEL = '"""A model.\n\n>>> from shared import NAME\n>>> NAME\n{name!r}\n"""\n\nfrom shared import NAME\n'


def collected(folder) -> str:
    options = ["-q", "-p", "no:cacheprovider", "--doctest-modules", "--import-mode=importlib", "-rA"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "submissions"],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
    )
    return done.stdout


def test_families_do_not_meet_and_one_without_its_packages_is_left_out(tmp_path):
    (tmp_path / "submissions").mkdir()
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT / 'tests'}\n")
    shutil.copy(ROOT / "submissions/conftest.py", tmp_path / "submissions")
    for name in ("one", "two", "three"):
        family = tmp_path / "submissions" / name
        family.mkdir()
        (family / "shared.py").write_text(f"NAME = {name!r}\n")
        (family / "model.py").write_text(MODEL.format(name=name))
    (tmp_path / "submissions/three/model.py").write_text("import a_package_that_nobody_has\n")
    said = collected(tmp_path)
    assert "PASSED submissions/one/model.py" in said
    assert "PASSED submissions/two/model.py" in said
    assert "three" not in said
    assert "2 passed" in said
