"""What a network has learnt can be kept and loaded again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from families import enter

torch = pytest.importorskip("torch")
FAMILY = "networks"
enter(Path(__file__).parents[2] / "submissions" / FAMILY)

from model import PerSymbol, TsMixer  # noqa: E402 - a family's modules, from its folder

from bench.plugin import Task, example_history  # noqa: E402


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [(PerSymbol, {"units": 4, "layers": 1}), (TsMixer, {"units": 4, "layers": 1, "features": "logs"})],
)
def test_weights_survive_the_round_trip(kind, parameters):
    history = example_history(300)
    kept, facts = {}, {}

    def report(what, said, array):
        if what == "weights":
            kept[said["name"]] = np.asarray(array, dtype="<f8")  # as it travels
            facts.update(said)

    model = kind(Task("next-day", ahead=1), max_epochs=2, **parameters)
    model._report = report
    model.fit(history)
    assert facts["features"] == model.feature_set
    assert len(facts["best_epochs"]) == len(facts["networks"])
    before = model.forecast(history)
    names = ["all"] if model.pooled else list(history.symbols)
    model.networks = model.build(names)
    assert not np.array_equal(model.forecast(history), before)
    model.networks.load({name: torch.from_numpy(array).float() for name, array in kept.items()})
    model.networks.train(False)
    np.testing.assert_array_equal(model.forecast(history), before)


def test_rolling_features_hold_the_latest_target():
    from features import SETS

    history = example_history(200)
    first = SETS["rolling"](history, slice(None), np.ones(2))[0]
    np.testing.assert_allclose(first[-1] ** 2 / 252, history.variance[-21:].mean(axis=0), rtol=1e-12)
    assert len(SETS["rolling"](history, slice(None), np.ones(2))) == 16
