#!/usr/bin/env bash
# Runs what is missing, rebuilds boards, ledger and README, and verifies the outcome against the last commit.
# A dataset whose bars are not here keeps its forecasts: its boards are rebuilt from them.
# Entries are strangers' code: where they cannot be shut in, nothing is run.
# usage: bash scripts/ci/update_boards.sh      (bars of snapshots: $BENCH_DATA/<dataset>/)
set -euo pipefail
shopt -s nullglob
bench=.venv/bin/bench
.venv/bin/python -c 'import sys; from bench.run.sandbox import obstacle; sys.exit((why := obstacle()) and f"no sandbox: {why}")'

rebuild() { # the boards of a dataset, those of its studies included
    local split study
    for split in official development forward; do
        if [ -d "results/$1/$split" ]; then
            $bench board --write --dataset "$1" --split "$split" > /dev/null
        fi
        for study in "results/$1/studies"/*/"$split"; do
            $bench board --write --dataset "$1" --split "$split" --study "$(basename "$(dirname "$study")")" > /dev/null
        done
    done
}

for folder in datasets/*/; do
    dataset=$(basename "$folder")
    if grep -q 'kind: *snapshot' "$folder/dataset.yaml" && [ ! -d "${BENCH_DATA:-/nowhere}/$dataset" ]; then
        echo "$dataset: no bars here, only its boards are rebuilt"
    else
        # 1: an entry failed; that is a row of the board
        $bench run --dataset "$dataset" > /dev/null || [ $? -eq 1 ]
    fi
    rebuild "$dataset"
done
$bench ledger --update
make readme
$bench verify --base HEAD
