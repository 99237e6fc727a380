#!/usr/bin/env bash
# Mutates the caching core and runs its tests against each mutant, with cargo-mutants: days for all 2700 on two cores, by hand and
# not in CI. The outcomes, survivors in missed.txt, are in target/mutants.out; docs/mutants.md has the last ones.
#
#     scripts/mutants.sh [ARGUMENT...]     for example --file crates/metallic/src/caching/order.rs, or --list
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v cargo-mutants >/dev/null || cargo install --locked cargo-mutants
# The default is the whole core; a --file among the arguments takes its place.
files=(--file 'crates/metallic/src/caching/**' --file crates/metallic/src/ticks.rs --file 'crates/metallic/src/ticks/**')
[[ " $* " == *" --file "* ]] && files=()
# Each mutant is a build: without debug information, and with a fortieth of the property tests' cases.
export CARGO_PROFILE_DEV_DEBUG=0 METALLIC_CASES_DIVIDED_BY=40
exec cargo mutants --package metallic-cache --no-default-features "${files[@]}" --output target "$@" -- \
    --lib --test it --test policies --test shared
