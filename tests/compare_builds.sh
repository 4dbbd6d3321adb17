#!/usr/bin/env bash
# Whether two builds compute the same bytes (bytes_of.sh). Prints what differs; exit 1 if anything does.
# Usage: compare_builds.sh PROGRAM_BEFORE PROGRAM_AFTER [PART...]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
before=$1 after=$2
shift 2
if diff <("$here/bytes_of.sh" "$before" "$@") <("$here/bytes_of.sh" "$after" "$@"); then echo "the same bytes"; else exit 1; fi
