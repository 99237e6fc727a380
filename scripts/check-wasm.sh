#!/usr/bin/env bash
# Lints the caching core and the instrumentation for wasm32-unknown-unknown, and makes look-ups, evictions and an idle expiry in
# Node.js on the default clock. Needs Node.js; installs the target by rustup and wasm-bindgen's program under target/.
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
# The program and the library must be of one version.
version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/^version = "\(.*\)"/\1/p}' scripts/wasm/Cargo.lock)
bindgen="$folder/wasm-bindgen-$version"
if [[ ! -x $bindgen/bin/wasm-bindgen ]]; then
    # It runs for a moment, so it need not be fast.
    CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off CARGO_TARGET_DIR="$folder/wasm-bindgen-build" \
        cargo install --quiet --version "$version" --root "$bindgen" wasm-bindgen-cli >&2 ||
        skip "wasm-bindgen-cli $version could not be installed"
    rm -r "$folder/wasm-bindgen-build"
fi

CARGO_TARGET_DIR="$folder" cargo build --locked --manifest-path scripts/wasm/Cargo.toml --target "$target"
"$bindgen/bin/wasm-bindgen" --target nodejs --out-dir "$folder/wasm-check" "$folder/$target/debug/metallic-wasm-check.wasm"
node "$folder/wasm-check/metallic-wasm-check.js"
echo "check-wasm: passed with Node.js $(node --version)"
