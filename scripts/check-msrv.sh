#!/usr/bin/env bash
# Checks that metallic's core and metallic-instrumentation compile with the oldest Rust they promise, their `rust-version`. Tests are
# no part of the promise. Installs the toolchain by rustup.
# With CI=true, what cannot be checked is a failure; elsewhere it is skipped, and the reason printed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' crates/metallic/Cargo.toml)
if [[ $(sed -n 's/^rust-version = "\(.*\)"/\1/p' crates/metallic-instrumentation/Cargo.toml) != "$version" ]]; then
    echo "check-msrv: metallic and metallic-instrumentation promise different versions" >&2
    exit 1
fi
if ! rustup run "$version" rustc --version >/dev/null 2>&1 &&
    ! rustup toolchain install "$version" --profile minimal --no-self-update >&2; then
    if [[ ${CI:-} == true ]]; then
        echo "check-msrv: Rust $version could not be installed" >&2
        exit 1
    fi
    echo "skipped: Rust $version could not be installed"
    exit 0
fi

# A folder of its own: artifacts of two compilers would push each other out.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/msrv"
cargo "+$version" check --locked -p metallic-cache --no-default-features
cargo "+$version" check --locked -p metallic-instrumentation --no-default-features
cargo "+$version" check --locked -p metallic-instrumentation --all-features
echo "check-msrv: passed with $(rustup run "$version" rustc --version)"
