#!/usr/bin/env bash
# Renders the report page of a log of the example engine in headless Chromium, and fails if anything is wrong with it.
# Needs Debian's chromium (installed here if it is missing and this is root) and Node.js with npm.
#
#     scripts/check-report-page.sh [FOLDER]     FOLDER takes the page and its screenshots; by default in target/
set -euo pipefail
cd "$(dirname "$0")/.."

target="${CARGO_TARGET_DIR:-target}"
folder="${1:-$target/report-page}"
mkdir -p "$folder" "$target/report-page-checker"

missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v npm >/dev/null || missing+=(nodejs npm)
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "missing: ${missing[*]}; install them, or run this as root" >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

cp scripts/report-page/* "$target/report-page-checker/"
(cd "$target/report-page-checker" && npm ci --silent --no-audit --no-fund)

cargo build --quiet -p metallic-cli --bin metallic --example demo_log
"$target/debug/examples/demo_log" "$folder/demo.jsonl" 16000
# What a careless or hostile program may leave in a log.
cat >>"$folder/demo.jsonl" <<'LINES'
not an event
{"type":"ResourceCreated","data":{"cache":"<b>shaders</b>","cache_key":"<b>shaders</b>:<script>document.title='owned'</script>","duration_ns":90000000000,"outcome":"created","bytes":0},"timestamp":1793606500000000000}
{"type":"ResourceCacheAccess","data":{"cache_key":"<b>shaders</b>:<script>document.title='owned'</script>","hit":false,"bytes":0},"timestamp":1793606500000000000}
LINES
"$target/debug/metallic" report "$folder/demo.jsonl" --html "$folder/report.html"
node "$target/report-page-checker/check.mjs" "$folder/report.html" "$(command -v chromium)" "$folder"
