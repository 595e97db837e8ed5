#!/usr/bin/env bash
# Runs `bench check` on the entries that differ from BASE; what it says is kept in FOLDER/check.txt.
# usage: bash scripts/ci/check_entries.sh BASE FOLDER
set -euo pipefail
mkdir -p "$2"
changed=$(.venv/bin/python scripts/ci/changed_entries.py "$1")
if [ -z "$changed" ]; then
    echo "no entry changed" | tee "$2/check.txt"
    exit 0
fi
mapfile -t entries <<< "$changed"
.venv/bin/bench check "${entries[@]}" 2>&1 | tee "$2/check.txt"
