#!/bin/bash
# record.sh [NAME...]: runs scripts of test/fixtures/machine/6.1 on the real kernel again (run.sh), twice side by side, and replaces their
# truth. Says so, and keeps the old one, where the two runs differ.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
fixtures=$here/../../fixtures/machine/6.1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- $(cd "$fixtures" && ls *.txt | sed 's/\.txt$//')
failed=0
for name in "$@"; do
  "$here/run.sh" "$fixtures/$name.txt" -o "$work/a.jsonl" & first=$!
  "$here/run.sh" "$fixtures/$name.txt" -o "$work/b.jsonl" > /dev/null & second=$!
  wait $first && wait $second
  # boot_ms is the host's.
  if cmp -s <(sed 's/"boot_ms":[0-9]*,//' "$work/a.jsonl") <(sed 's/"boot_ms":[0-9]*,//' "$work/b.jsonl"); then
    gzip -9nc "$work/a.jsonl" > "$fixtures/$name.jsonl.gz"
  else
    echo "$name: two runs differ, its truth stays as it is" >&2
    failed=1
  fi
done
exit $failed
