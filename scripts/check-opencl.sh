#!/usr/bin/env bash
# Runs examples/opencl on PoCL in two processes and more: what the first one compiled is not compiled again, and a damaged binary,
# which crashes the driver, never reaches it. As root it installs PoCL on Debian. Elsewhere it prints `skipped:` and why, except
# in CI (CI=true), where it fails.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
    echo "skipped: $1"
    [[ ${CI:-} != true ]]
    exit
}
fail() {
    echo "check-opencl: $1" >&2
    exit 1
}

if ! dpkg-query --show pocl-opencl-icd ocl-icd-libopencl1 >/dev/null 2>&1; then
    { apt-get update && apt-get install --yes --no-install-recommends pocl-opencl-icd ocl-icd-libopencl1; } >/dev/null ||
        skip "PoCL could not be installed"
fi
command -v python3 >/dev/null || { apt-get update && apt-get install --yes python3; } >/dev/null || skip "python3 could not be installed"

target=$PWD/target/opencl
(cd examples/opencl && cargo build --locked --target-dir "$target")
example=$target/debug/metallic-opencl
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# PoCL has a cache of its own: each process gets an empty one, or the second would be fast without us.
pocl() {
    rm -rf "$folder/pocl"
    mkdir "$folder/pocl"
    POCL_CACHE_DIR=$folder/pocl "$example" "$@"
}
# Runs the example, and checks how often it compiled. Sets `microseconds` to what its creations took.
expect() {
    local name=$1 compilations=$2 line
    shift 2
    line=$(pocl "$@") || fail "$name: exit code $?"
    echo "$name: $line"
    [[ $line == *" compilations=$compilations "* ]] || fail "$name: not $compilations compilations"
    microseconds=${line##*creation_us=}
}

store=$folder/store
expect "the first process" 3 "$store"
first=$microseconds
expect "the second process" 0 "$store"
second=$microseconds
echo "creation: $first us, then $second us, $((first / second)) times faster"
((first >= 10 * second)) || fail "not 10 times faster"
expect "a rebuilt program" 0 "$store" "another build"
expect "a rebuilt program again" 0 "$store" "another build"

# The driver's own binaries: the payloads, at the end of the entries that are longer than a link.
python3 - "$store" "$folder" <<'PY'
import pathlib, sys
store, folder = map(pathlib.Path, sys.argv[1:])
for entry in (store / "entries").glob("*/*"):
    bytes = entry.read_bytes()
    variable = int.from_bytes(bytes[16:24], "little")
    payload = bytes[128 + variable:]
    if len(payload) > 1000 and b"native" in bytes[:128 + variable]:
        (folder / f"{entry.name}.binary").write_bytes(payload)
PY

echo "damaged binaries, as they are, 24 of them:"
python3 - "$example" "$folder" <<'PY'
import collections, os, pathlib, shutil, subprocess, sys
example, folder = sys.argv[1], pathlib.Path(sys.argv[2])
cache = folder / "pocl"
def run(binary):
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir()
    (folder / "unverified").write_bytes(binary)
    environment = dict(os.environ, POCL_CACHE_DIR=str(cache))
    try:
        code = subprocess.run([example, "--unverified", folder / "unverified"], env=environment, capture_output=True, timeout=60).returncode
    except subprocess.TimeoutExpired:
        return "it hangs"
    return "nothing is noticed" if code == 0 else "it reports an error" if code > 0 else f"it dies of signal {-code}"
# The one for the products that the example checks with: the others fail for another reason.
intact = next(binary for binary in (path.read_bytes() for path in sorted(folder.glob("*.binary"))) if run(binary) == "nothing is noticed")
outcomes = collections.Counter()
for part in range(24):
    damaged = bytearray(intact)
    for at in range(part * len(damaged) // 24 + 13, min(part * len(damaged) // 24 + 77, len(damaged))):
        damaged[at] ^= 0xff
    outcomes[run(bytes(damaged))] += 1
for outcome, times in outcomes.most_common():
    print(f"  {outcome}: {times}")
if not any("signal" in outcome for outcome in outcomes):
    sys.exit("check-opencl: no damaged binary crashes this driver: it proves nothing")
PY

echo "the same damage in the store:"
damage() {
    python3 - "$store" "$1" <<'PY'
import pathlib, sys
part = int(sys.argv[2])
for entry in (pathlib.Path(sys.argv[1]) / "entries").glob("*/*"):
    damaged = bytearray(entry.read_bytes())
    if len(damaged) < 1000:
        continue
    start = 128 + int.from_bytes(damaged[16:24], "little")
    length = len(damaged) - start
    for at in range(start + part * length // 24 + 13, min(start + part * length // 24 + 77, len(damaged))):
        damaged[at] ^= 0xff
    entry.write_bytes(damaged)
PY
}
for part in 0 11 23; do
    damage $part
    expect "damage in part $part" 3 "$store"
    expect "and after it" 0 "$store"
done
