#!/usr/bin/env bash
# The main job on real data: 77 years of speeches at the United Nations, 28 states.
# Builds cvx, makes a dataset in a temporary directory, and asks it four questions.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --locked --quiet
cvx=$PWD/target/debug/cvx
[ -n "${CARGO_TARGET_DIR:-}" ] && cvx=$CARGO_TARGET_DIR/debug/cvx
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CVX_DATASET=$work/speeches CVX_FORMAT=table
say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "${@/#cvx/$cvx}"; }

say cvx init "$CVX_DATASET" --dim 384
say cvx ingest testdata/un-speeches/un-speeches.parquet --model all-MiniLM-L6-v2
# Ukraine is 26, Russia 24: who stood near Ukraine as of 1985, and as of 2015?
say cvx query asof --at 1985 --like 26@1985 -k 4 --meta
say cvx query asof --at 2015 --like 26@2015 -k 4 --meta
# One state's path, a point every ten years.
say cvx query trajectory --entity 26 --every 10y
# Who moved most between 1985 and 2015, and in which dimensions?
say cvx drift --from 1985 --to 2015 --sort cosine --top-rows 5 --top 3
