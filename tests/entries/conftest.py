"""Each module here tests one family, `FAMILY`, among whose modules it is loaded and run."""

import pytest
from conftest import ROOT
from families import enter


@pytest.fixture(autouse=True)
def own_modules(request):
    enter(ROOT / "submissions" / request.module.FAMILY)
