#!/usr/bin/env bash
# Brings bubblewrap to a runner, lets it make namespaces, and fails where it cannot: entries are strangers' code.
# usage: bash scripts/ci/install_sandbox.sh
set -euo pipefail
if ! command -v bwrap > /dev/null; then
    sudo apt-get update -q
    sudo apt-get install -y -q bubblewrap
fi
# Newer Ubuntu kernels refuse namespaces to ordinary users unless told otherwise.
if [ -e /proc/sys/kernel/apparmor_restrict_unprivileged_userns ]; then
    sudo sysctl -q -w kernel.apparmor_restrict_unprivileged_userns=0
fi
bwrap --ro-bind / / --dev /dev --proc /proc --unshare-all true
echo "the sandbox works: $(bwrap --version)"
