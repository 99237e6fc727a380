#!/usr/bin/env bash
# Lints the caching core and the instrumentation for wasm32-unknown-unknown, and makes look-ups, evictions and an idle expiry in
# Node.js on the default clock. Needs Node.js; installs the target by rustup.
# With CI=true, what cannot be checked is a failure; elsewhere it is skipped, and the reason printed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

skip() {
    if [[ ${CI:-} == true ]]; then
        echo "check-wasm: $1" >&2
        exit 1
    fi
    echo "skipped: $1"
    exit 0
}

target=wasm32-unknown-unknown
rustup target list --installed | grep --quiet --line-regexp "$target" || rustup target add "$target" >&2 ||
    skip "the target $target could not be installed"

cargo clippy --locked -p metallic-cache -p metallic-instrumentation --no-default-features --target "$target" -- -D warnings

command -v node >/dev/null || skip "no Node.js"
folder=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
CARGO_TARGET_DIR="$folder" cargo build --locked --manifest-path scripts/wasm/Cargo.toml --target "$target"
# Generates JavaScript around it: a program for a moment, so it need not be fast.
CARGO_TARGET_DIR="$folder" cargo run --quiet --locked --manifest-path scripts/wasm/Cargo.toml -p metallic-wasm-bindgen -- \
    "$folder/$target/debug/metallic-wasm-check.wasm" "$folder/wasm-check"
node "$folder/wasm-check/metallic-wasm-check.js"
echo "check-wasm: passed with Node.js $(node --version)"
