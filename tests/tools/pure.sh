#!/bin/sh
# detectors/ links against nothing but memory, strings and libm: no I/O, no clock, no environment.
# Usage: pure.sh BUILD_DIR (objects are checked if they are there).
set -eu
found=$(find "$1/detectors" -name '*.o' 2>/dev/null || true)
[ -n "$found" ] || exit 0
# shellcheck disable=SC2086
bad=$(nm -A -u $found | sed -n 's/.* U //p' | sort -u | grep -E \
	'^(f?open|f?printf|puts|fwrite|read|write|time|clock|gettimeofday|getenv|rand|random|exit|pthread|sqlite3|rd_kafka)' || true)
[ -z "$bad" ] || { echo "detectors/ calls: $bad"; exit 1; }
