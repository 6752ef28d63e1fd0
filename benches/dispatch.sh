#!/usr/bin/env bash
# dispatch.sh [ROUNDS]: measures inline dispatch in Rust and in Node by turns, five rounds unless told, and prints
# the medians over the rounds as a Markdown table. Needs cargo, node and npm.
set -euo pipefail

root=$(CDPATH='' cd -- "${BASH_SOURCE[0]%/*}/.." && pwd -P)
cd "$root"
rounds=${1:-5}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export CRITERION_HOME=$scratch/criterion

[[ -d benches/peers/node_modules ]] || npm ci --prefix benches/peers >&2
bench=$(cargo bench --locked --package busway-engine --bench dispatch --no-run --message-format=json |
  sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')

for ((round = 1; round <= rounds; round++)); do
  printf 'round %s of %s\n' "$round" "$rounds" >&2
  "$bench" --bench --warm-up-time 1 --measurement-time 2 --quiet >&2
  node benches/peers/criterion.mjs "$CRITERION_HOME/dispatch" >>"$scratch/measured"
  node benches/peers/dispatch.mjs >>"$scratch/measured"
done

printf '%s rounds, %s cores, %s, %s, Node %s\n\n' "$rounds" "$(getconf _NPROCESSORS_ONLN)" \
  "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(rustc --version | cut -d ' ' -f 1-2)" "$(node --version)"
node benches/peers/dispatch-table.mjs <"$scratch/measured"
