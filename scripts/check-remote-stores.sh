#!/usr/bin/env bash
# Runs the tests of remote stores against real servers on this machine: Redis (Debian), an S3 emulator and a WebDAV server
# (PyPI). As root it installs what is missing, under target/. Elsewhere it prints `skipped:` and why, except in CI (CI=true),
# where it fails.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
    echo "skipped: $1"
    [[ ${CI:-} != true ]]
    exit
}

if ! command -v redis-server >/dev/null; then
    { apt-get update && apt-get install --yes --no-install-recommends redis-server python3-venv; } >/dev/null ||
        skip "redis-server could not be installed"
fi
tools=$PWD/target/remote-stores
if ! [[ -x $tools/bin/moto_server && -x $tools/bin/wsgidav ]]; then
    { python3 -m venv "$tools" && "$tools/bin/pip" install --quiet 'moto[server]==5.2.*' 'wsgidav==4.4.*' 'cheroot==11.*'; } ||
        skip "moto and wsgidav could not be installed"
fi

folder=$(mktemp -d)
servers=()
# Only those that were started here, by their numbers.
trap 'kill "${servers[@]}" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
redis=$(free_port) s3=$(free_port) dav=$(free_port) tls=$(free_port)

redis-server --bind 127.0.0.1 --port "$redis" --save "" --requirepass word --dir "$folder" >"$folder/redis.log" &
servers+=($!)
"$tools/bin/moto_server" -H 127.0.0.1 -p "$s3" >"$folder/s3.log" 2>&1 &
servers+=($!)
mkdir -p "$folder"/dav/bazel{,-tls}/{ac,cas}
"$tools/bin/wsgidav" --host 127.0.0.1 --port "$dav" --root "$folder/dav" --auth anonymous --no-config >"$folder/dav.log" 2>&1 &
servers+=($!)

# The same server by TLS, with a certificate that only this script knows.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=localhost" \
    -addext "subjectAltName=DNS:localhost" -addext "basicConstraints=critical,CA:FALSE" \
    -keyout "$folder/key.pem" -out "$folder/certificate.pem" 2>"$folder/openssl.log"
cat >"$folder/dav.json" <<JSON
{"host": "localhost", "port": $tls, "provider_mapping": {"/": "$folder/dav"}, "simple_dc": {"user_mapping": {"*": true}},
 "ssl_certificate": "$folder/certificate.pem", "ssl_private_key": "$folder/key.pem", "ssl_adapter": "builtin"}
JSON
"$tools/bin/wsgidav" --config "$folder/dav.json" >"$folder/tls.log" 2>&1 &
servers+=($!)

python3 - "$redis" "$s3" "$dav" "$tls" <<'PY'
import socket, sys, time, urllib.request
for port in sys.argv[1:]:
    for _ in range(300):
        try:
            socket.create_connection(("localhost", int(port)), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    else:
        sys.exit(f"no server on port {port}")
urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{sys.argv[2]}/bucket", method="PUT"))
PY

export SSL_CERT_FILE=$folder/certificate.pem
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
export METALLIC_STORE_TEST_SERVERS="
    redis://:word@127.0.0.1:$redis/1
    http://127.0.0.1:$dav/metallic
    https://localhost:$tls/metallic-tls
    bazel+http://127.0.0.1:$dav/bazel
    bazel+https://localhost:$tls/bazel-tls
    s3://bucket/prefix?endpoint=http://127.0.0.1:$s3"
# For the whole workspace, as the test command does: otherwise half of it would be built anew, with fewer features.
cargo test --locked --workspace --all-features --test it -- --exact --nocapture remote::real_servers_conform
