#!/usr/bin/env bash
# Type-checks, lints and documents the workspace for Apple's systems, on any system that rustup serves.
#
# Nothing is linked, so neither Xcode nor an SDK is needed; nothing is run either.
# With CI=true, what cannot be checked is a failure; elsewhere it is skipped, and the reason printed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The Macs of today; and those of before, on which the core reads the processor's own clock.
targets=(aarch64-apple-darwin x86_64-apple-darwin)

for target in "${targets[@]}"; do
    rustup target list --installed | grep --quiet --line-regexp "$target" || rustup target add "$target" >&2 || {
        if [[ ${CI:-} == true ]]; then
            echo "check-apple: the target $target could not be installed" >&2
            exit 1
        fi
        echo "skipped: the target $target could not be installed"
        exit 0
    }
done

# Code, tests and examples. The backends and the program do not tell one Mac from another.
cargo clippy --locked --target "${targets[0]}" --workspace --all-targets --all-features -- -D warnings
cargo clippy --locked --target "${targets[1]}" -p metallic-cache --all-targets --all-features -- -D warnings

# Documentation, whose links name items that exist on Apple's systems alone.
RUSTDOCFLAGS='-D warnings' cargo doc --locked --target "${targets[0]}" --workspace --no-deps --all-features

echo "check-apple: passed for ${targets[*]} with $(rustc --version)"
