#!/usr/bin/env bash
# Runs the tests of the shared registry, and the core's unit tests, under ThreadSanitizer, which finds data races in what runs natively
# and in full: locks, atomics and their orderings as the processor's threads meet them. Prints how many ran. By hand: some minutes.
#
#     scripts/check-tsan.sh [FILTER...]     only tests whose name has one of these in it
#
# The standard library is built with it, since what it does not see of that it takes for races: so this needs a nightly toolchain with
# rust-src, which it installs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

toolchain=${METALLIC_TSAN_TOOLCHAIN:-nightly}
target=x86_64-unknown-linux-gnu
if [[ $(rustc -vV | sed -n 's/^host: //p') != "$target" ]]; then
    echo "check-tsan: set up for $target only" >&2
    exit 1
fi
if ! rustup component list --installed --toolchain "$toolchain" 2>/dev/null | grep --quiet --line-regexp rust-src; then
    rustup toolchain install "$toolchain" --profile minimal --component rust-src --no-self-update >&2
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Optimised a little, or it takes several times as long. A folder of its own: artifacts of two compilers would push each other out.
# A report ends the process: of what runs after a race nothing can be said.
TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1" RUSTFLAGS="-Zsanitizer=thread" \
    CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/tsan" \
    cargo "+$toolchain" test --locked -Zbuild-std --target "$target" -p metallic-cache --no-default-features \
    --lib --test shared -- "$@" 2>&1 | tee "$log"
passed=$(awk '/^test result: ok/ { sum += $4 } END { print sum + 0 }' "$log")
[[ $passed -gt 0 ]]
echo "check-tsan: $passed tests passed with $(rustc "+$toolchain" --version)"
