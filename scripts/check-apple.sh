#!/usr/bin/env bash
# Type-checks, lints and documents the workspace for Apple's systems, on any Debian.
#
# rustup has no Apple target for every Linux host, but Debian's rustc-web has the targets and rust-web-src the standard
# library to build for them. Nothing is linked, so neither Xcode nor an SDK is needed; nothing is run either.
# With CI=true, what cannot be checked is a failure; elsewhere it is skipped, and the reason printed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The Macs of today; and those of before, on which the processor's own clock is read.
targets=(aarch64-apple-darwin x86_64-apple-darwin)
packages=(rustc-web rust-web-src rust-web-clippy)

skip() {
    if [[ ${CI:-} == true ]]; then
        echo "check-apple: $1" >&2
        exit 1
    fi
    echo "skipped: $1"
    exit 0
}

missing() {
    local package
    for package in "${packages[@]}"; do
        [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            echo "$package"
    done
}

if ! command -v dpkg-query >/dev/null; then
    skip "the Apple targets of rustc come from Debian's packages, and this is no Debian"
fi
if [[ -n $(missing) ]]; then
    if ((EUID != 0)); then
        skip "not root, so these packages cannot be installed: $(missing | xargs)"
    fi
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update && apt-get install --yes --no-install-recommends "${packages[@]}"; } >&2; then
        skip "these packages could not be installed: $(missing | xargs)"
    fi
fi

# Debian's compiler under rustup's cargo. RUSTC_BOOTSTRAP allows -Z build-std on a stable compiler.
export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc RUSTC_BOOTSTRAP=1
# A folder of its own: artifacts of two compilers would push each other out.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/apple"

# Code, tests and examples, by Debian's clippy: `cargo clippy` would pick the driver of another toolchain. The separator of
# the arguments is the one that the driver reads.
export CLIPPY_ARGS='-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__'
for target in "${targets[@]}"; do
    echo "check-apple: $target with $("$RUSTC" --version)"
    RUSTC_WORKSPACE_WRAPPER=/usr/bin/clippy-driver \
        cargo check --locked -Z build-std --target "$target" --workspace --all-targets --all-features
done

# Documentation, whose links name items that exist on Apple's systems alone.
RUSTDOCFLAGS='-D warnings' \
    cargo doc --locked -Z build-std --target "${targets[0]}" --workspace --no-deps --all-features

echo "check-apple: passed for ${targets[*]}"
