#!/usr/bin/env bash
# Runs the core's tests under Miri, which finds undefined behaviour in the unsafe code of the type table, data races, and atomics that
# are read too old: the core's unit tests, one short sequence of each of the policies' properties, tests of the type table, and those of
# the shared registry's threads that are short. Prints how many ran.
#
#     scripts/check-miri.sh            some minutes
#     scripts/check-miri.sh threads    all tests of the shared registry, by hand
#
# Where the nightly toolchain or its component cannot be installed, the last lines say so and the script succeeds: AddressSanitizer
# runs the same code natively.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

toolchain=${METALLIC_MIRI_TOOLCHAIN:-nightly}
if ! rustup component list --installed --toolchain "$toolchain" 2>/dev/null | grep --quiet '^miri'; then
    if ! { rustup toolchain install "$toolchain" --profile minimal --no-self-update &&
        rustup component add miri rust-src --toolchain "$toolchain"; } >&2; then
        echo "skipped: Miri of $toolchain could not be installed"
        exit 0
    fi
fi

# The system's clock is real, so that what waits for it ends.
# Pointers that are gone are looked for every 100 000 blocks of code instead of 10 000: more memory for a fifth of the time.
export MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-provenance-gc=100000"
# The symbols of a backtrace take minutes.
export RUST_BACKTRACE=0
# A folder of its own: artifacts of two compilers would push each other out.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/miri"
miri() {
    cargo "+$toolchain" miri test --locked -p metallic-cache --no-default-features "$@"
}

# Payloads of panics of creations are leaked on purpose: dropping them may panic again.
shared() {
    MIRIFLAGS="$MIRIFLAGS -Zmiri-ignore-leaks" miri --test shared -- "$@"
}
# A thousand failures, one after the other on one thread, are minutes here; deadlines in real time pass before anything has happened.
skipped=(--skip the_last_1024 --skip one_deadline)

logs=$(mktemp --directory)
trap 'rm -rf "$logs"' EXIT
case ${1:-} in
"")
    # Miri runs on one core: so each runs beside the others, and prints when it is over.
    # Without the tests whose loops are long on purpose: of memory, they show nothing that others do not.
    miri --lib -- caching --skip linear --skip few_bits --skip one_idle_time_at_most --skip numbering_anew --skip no_text \
        >"$logs/lib" 2>&1 &
    miri --test it -- many_kernels values_of_many_types slots_of_different >"$logs/it" 2>&1 &
    miri --test policies -- --nocapture --skip papers >"$logs/policies" 2>&1 &
    shared "${skipped[@]}" hits:: locals:: failures:: tickets:: this_thread:: named_batches:: >"$logs/shared" 2>&1 &
    ;;
threads)
    shared "${skipped[@]}" >"$logs/shared" 2>&1 &
    ;;
*)
    echo "check-miri: \`$1\` is not \`threads\`" >&2
    exit 2
    ;;
esac
failed=0
for job in $(jobs -p); do
    wait "$job" || failed=1
done
cat "$logs"/*
if [[ $failed == 1 ]]; then
    exit 1
fi
count() {
    awk '/^test result: ok/ { sum += $4 } END { print sum + 0 }' "$@"
}
passed=$(count "$logs"/*)
threaded=$(count "$logs/shared")
[[ $threaded -gt 0 ]]
echo "check-miri: $passed tests passed, $threaded of them of the shared registry, with $(rustc "+$toolchain" --version)"
