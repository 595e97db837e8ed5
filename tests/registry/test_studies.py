"""Studies: expanded as they are declared, wrong ones told in a line, the committed ones as they were made."""

import json

import pytest
import yaml
from conftest import ROOT

from bench import store
from bench.publish import ledger
from bench.registry.config import Registry
from bench.registry.entries import discover
from bench.registry.studies import with_studies
from bench.store import Scope, stale_parts

REGISTRY = Registry(ROOT)
SEEDED = """
class Model(Forecaster):
    def __init__(self, task, seed=0, scale=1.0):
        super().__init__(task, seed)
        self.scale = scale
    def forecast(self, history):
        return self.scale * history.variance[-1]
"""


def declare(sandbox, name, base, grid, **keys):
    """A study of any grid on the small dataset."""
    path = sandbox.root / "studies" / name / "study.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    spec = {"question": "Does it help?", "base": base, "grid": grid, "datasets": ["tiny"], "split": "official"}
    path.write_text(yaml.safe_dump({**spec, **keys}, sort_keys=False))


def catalogue(sandbox):
    registry = Registry(sandbox.root)
    return with_studies(registry, discover(sandbox.root / "submissions", registry.settings.tasks))


def test_a_grid_is_crossed_and_the_base_stays_as_it_is_written(sandbox):
    sandbox.add_entry("first", SEEDED, tuned_on="development")
    grid = {"parameters.scale": [0.5, 1.0], "seeds": [1, 2]}
    declare(sandbox, "scales", "first", grid, at={"parameters.scale": 1.0}, against={"seeds": 1})
    study = catalogue(sandbox).study("scales")
    assert list(study.variants) == ["scale=0.5,seeds=1", "scale=0.5,seeds=2", "scale=1,seeds=1", "scale=1,seeds=2"]
    home, other = study.variants["scale=1,seeds=1"], study.variants["scale=1,seeds=2"]
    assert (home.row.parameters, home.axis) == ({}, {"parameters.scale": 1.0, "seeds": 1})
    assert (other.row.parameters, other.row.seeds, other.row.tuned_on) == ({"scale": 1.0}, 2, None)
    assert study.counterparts == {"scale=0.5,seeds=2": "scale=0.5,seeds=1", "scale=1,seeds=2": "scale=1,seeds=1"}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"base": "fist"}, "base: no entry `fist`"),
        ({"grid": {"scale": [1]}}, "grid: no axis `scale`: write parameters.NAME, class, reads, refit, seeds"),
        ({"grid": {}}, "write what is varied: `grid`, or a list of `variants`"),
        ({"grid": {"seeds": [1, 1]}}, "the variant seeds=1 stands twice"),
        ({"grid": {"seeds": [0]}}, "seeds=0: seeds: Input should be greater than or equal to 1"),
        ({"grid": {"seeds": list(range(1, 70))}}, "more than 64 variants: split the study into questions"),
        ({"at": {"seeds": 1}}, "at: first says seeds itself, remove it"),
        ({"against": {"refit": 1}}, "against: `refit` is not varied"),
        ({"datasets": ["tinny"]}, "no dataset `tinny`"),
        ({"split": "offical"}, "tiny has no split `offical`"),
        ({"nonsense": 1}, "nonsense: unknown key"),
    ],
)
def test_what_is_wrong_with_a_study_is_one_line_and_costs_no_other(sandbox, keys, said):
    sandbox.add_entry("first", SEEDED)
    declare(sandbox, "sound", "first", {"seeds": [1, 2]})
    declare(sandbox, "wrong", **{"base": "first", "grid": {"seeds": [1, 2]}, **keys})
    found = catalogue(sandbox)
    (problem,) = found.problems
    assert problem.startswith("studies/wrong/study.yaml: ") and said in problem and "\n" not in problem
    assert list(found.studies) == ["sound"]


def test_the_committed_variants_are_those_that_were_made_and_kept_their_digests():
    ours = with_studies(REGISTRY, discover(ROOT / "submissions", REGISTRY.settings.tasks))
    assert ours.problems == []
    events = ledger.read_events(REGISTRY.results)
    before = {(event.study, event.identity, event.digest) for event in events if event.event == ledger.WITHDRAWN}
    places = [place for place in store.all_places(REGISTRY.results) if place.study]
    assert len(places) == 22
    for place in places:
        stored, entry = store.read(place), ours.entry_at(place.study, place.entry)
        assert stored.problem is None
        assert stored.run.axis == entry.axis
        assert not stale_parts(stored.run, Scope.of(REGISTRY, place.dataset, place.split, study=place.study), entry)
        assert (place.study, stored.run.identity, stored.forecasts.digest()) in before, "moved, not made again"


def test_a_study_is_run_resumed_listed_and_written_up(sandbox):
    sandbox.add_entry("first", SEEDED)
    declare(sandbox, "scales", "first", {"parameters.scale": [0.5, 1.0]}, at={"parameters.scale": 1.0})
    assert sandbox("run").code == 0
    planned = sandbox("study", "scales", "--plan", "--json").json
    assert planned["run"] == ["scale=0.5 next-day"]
    assert list(planned["adopted"].values()) == ["results/tiny/official/next-day/first"]
    assert sandbox("study", "scales").code == 0
    assert sandbox("study", "scales", "--json").json["run"] == 0, "resumed: nothing is left"
    (row,) = sandbox("list", "studies", "--json").json
    assert (row["study"], row["variants"], row["varied"]) == ("scales", 2, "scale")
    top = sandbox.root / "results/tiny/studies/scales"
    board = json.loads((top / "official/leaderboard.json").read_bytes())
    rows = {line["entry"]: line for line in board["tables"][0]["rows"]}
    lines = [line.split(",") for line in (top / "table.csv").read_text().splitlines()]
    table = {line[1]: dict(zip(lines[0], line, strict=True)) for line in lines[1:]}
    assert float(table["0.5"]["qlike"]) == rows["scale=0.5"]["qlike"]
    order = [line["entry"] for line in board["tables"][0]["rows"]]
    pair = board["tables"][0]["pair_p"][order.index("scale=0.5")][order.index("scale=1")]
    assert float(table["0.5"]["p"]) == pair
    assert table["1"]["against"] == "", "the base is compared with nothing"
    assert "## What the tests say" in (top / "README.md").read_text()
