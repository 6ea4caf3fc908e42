#!/bin/sh
# What the benchmarks need beside Python: install it where that can be done, else say how.
set -eu
if command -v wrk >/dev/null 2>&1; then
    exit 0
fi
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "Installing wrk ..."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends wrk >/dev/null
    exit 0
fi
echo "The benchmarks need wrk on the PATH." >&2
echo "Debian: sudo apt-get install wrk" >&2
echo "macOS: brew install wrk" >&2
exit 1
