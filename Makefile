# make leaderboard [DATASET=indices|us21|simulated] [SPLIT=official] [FRESH=1]    bars -> forecasts -> leaderboard
# make test | lint | readme | install | clean
# make check-entries | verify | preview [BASE=origin/main]                       what CI does with a request
# make snapshot | update                                                         what CI does with the main branch

PYTHON  ?= python3
DATASET ?= indices
SPLIT   ?= official
SCRATCH ?= scratch
BASE    ?= origin/main
REQUEST := $(SCRATCH)/request
# `indices` starts from nothing; others start from a copy of the committed results, so only what is missing is run.
FRESH   ?= $(if $(filter indices,$(DATASET)),1,0)

BENCH := .venv/bin/bench
READY := .venv/.ready
READY_NETWORKS := .venv/.ready-networks
CFFCONVERT := .venv/cff/bin/cffconvert
INSTALL := .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: leaderboard test lint readme install check-entries verify preview snapshot update clean

leaderboard: $(if $(filter us21/1,$(DATASET)/$(FRESH)),$(READY_NETWORKS),$(READY))  # networks are trained for us21 alone
	@rm -rf $(SCRATCH)/$(DATASET) && mkdir -p $(SCRATCH)
	@if [ $(FRESH) != 1 ] && [ -d results/$(DATASET) ]; then cp -r results/$(DATASET) $(SCRATCH)/; fi
	$(BENCH) run --dataset $(DATASET) --split $(SPLIT) --results $(SCRATCH) > /dev/null || [ $$? -eq 1 ]
	$(BENCH) board --dataset $(DATASET) --split $(SPLIT) --results $(SCRATCH) --against results

test: $(READY_NETWORKS) $(CFFCONVERT)
	.venv/bin/python -m pytest -n auto

lint: $(READY)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

readme: $(READY)
	.venv/bin/python scripts/readme.py

install: $(READY_NETWORKS)

check-entries: $(READY_NETWORKS)
	@bash scripts/ci/check_entries.sh '$(BASE)' $(REQUEST)

verify: $(READY)
	@bash scripts/ci/verify_change.sh '$(BASE)' $(REQUEST)

preview: $(READY_NETWORKS)
	@.venv/bin/python scripts/ci/preview.py '$(BASE)' $(REQUEST)

snapshot: $(READY)
	@.venv/bin/python scripts/ci/fetch_snapshot.py us21

update: $(READY_NETWORKS)
	@bash scripts/ci/update_boards.sh

clean:
	rm -rf .venv $(SCRATCH)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit('volmark needs Python 3.11 or newer, this is ' + sys.version.split()[0] + ': make PYTHON=python3.11') if sys.version_info < (3, 11) else None"
	$(PYTHON) -m venv .venv
	$(INSTALL) -e '.[dev,fetch]'
	@touch $@

$(READY_NETWORKS): $(READY)
	$(INSTALL) -e '.[dev,fetch,networks]'
	@touch $@

# In an environment of its own: it needs jsonschema below 4, check-jsonschema needs 4.18 or above.
$(CFFCONVERT): | $(READY)
	.venv/bin/python -m venv .venv/cff
	.venv/cff/bin/python -m pip install --quiet --disable-pip-version-check cffconvert==2.0.0 jsonschema==3.2.0
