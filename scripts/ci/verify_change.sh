#!/usr/bin/env bash
# Runs `bench verify` of the working tree against BASE; what it says is kept in FOLDER/verify.txt.
# usage: bash scripts/ci/verify_change.sh BASE FOLDER
set -euo pipefail
mkdir -p "$2"
.venv/bin/bench verify --base "$1" 2>&1 | tee "$2/verify.txt"
