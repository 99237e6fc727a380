"""Compares `metallic run` with sentence-transformers and transformers. Prints a line for each comparison; exits with 1 if one fails."""

import json
import os
import pathlib
import subprocess
import sys

import checkpoints
import torch
from sentence_transformers import SentenceTransformer
from transformers import BertModel

COSINE = 0.9999
LOGIT = 1e-3
WORDS = "the cat sat on a red mat and saw two dogs run by the old house near the river while it was cold".split()

failures = []


def run(binary, *args, stdin=""):
    done = subprocess.run([binary, "run", "--json", "--repeat", "1", *args], input=stdin, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(args)}: {done.stderr}")
    return json.loads(done.stdout)


def say(what, device, figure, good):
    print(f"{'ok  ' if good else 'FAIL'}  {device:8}  {what}: {figure}", flush=True)
    if not good:
        failures.append(what)


def devices(binary):
    listed = json.loads(subprocess.run([binary, "devices", "--json"], capture_output=True, text=True, check=True).stdout)
    yield "host"
    if any(adapter["is_software"] for adapter in listed["adapters"]):
        yield "software"
    elif os.environ.get("METALLIC_REQUIRE_WGPU") == "1":
        sys.exit("there is no software adapter of wgpu, and METALLIC_REQUIRE_WGPU is set")
    else:
        print("skipped: wgpu, since there is no software adapter")


def sentences(tokenizer, lengths):
    """A sentence of each length in tokens, those at its ends included."""
    for length in lengths:
        words = [WORDS[(length + at) % len(WORDS)] for at in range(length - 2)]
        sentence = " ".join(words)
        assert len(tokenizer(sentence)["input_ids"]) == length, sentence
        yield sentence


def minilm(binary, device, folder, lengths):
    model = SentenceTransformer(str(folder), device="cpu")
    assert model.max_seq_length == 256, model.max_seq_length
    texts = [*sentences(model.tokenizer, lengths), "word " * 400, "Caf\u00e9 \u4e16\u754c \U0001f600, isn't it?"]
    expected = model.encode(texts, convert_to_tensor=True, normalize_embeddings=True, batch_size=1)
    args = ["--device", device, "--model", str(folder)]
    answers = run(binary, *args, "--input", "-", stdin="\n".join(texts))["prompts"]
    assert len(answers) == len(texts)
    cut = lambda text: model.tokenizer(text, truncation=True, max_length=256)["input_ids"]
    same = sum(answer["input_ids"] == cut(text) for text, answer in zip(texts, answers))
    say("MiniLM: token ids as sentence-transformers'", device, f"{same} of {len(texts)} texts", same == len(texts))
    cosines = [float(torch.tensor(answer["embedding"]) @ row) for answer, row in zip(answers, expected)]
    figure = f"least cosine {min(cosines):.8f} of {len(texts)} texts of {lengths[0]} to 256 tokens"
    say("MiniLM: embeddings as sentence-transformers'", device, figure, min(cosines) >= COSINE)
    # A text has three tokens or more with those at its ends; fewer can be given as ids.
    bare = BertModel.from_pretrained(str(folder), add_pooling_layer=False).eval()
    for ids in [[2054], [101, 102], list(range(2000, 2512))]:
        answer = run(binary, *args, "--ids", ",".join(map(str, ids)))["prompts"][0]["embedding"]
        cosine = float(torch.tensor(answer) @ checkpoints.embedding(bare, ids))
        say(f"MiniLM: embedding of {len(ids)} token ids", device, f"cosine {cosine:.8f}", cosine >= COSINE)


def gpt2(binary, device, folder):
    shapes = {
        "as it comes": {},
        "n_inner 40, gelu by erf": dict(n_inner=40, activation_function="gelu"),
        "own head, epsilon 1e-3": dict(tie_word_embeddings=False, layer_norm_epsilon=1e-3),
        "scaled by layer": dict(scale_attn_by_inverse_layer_idx=True, n_layer=4),
        "not scaled": dict(scale_attn_weights=False),
        "wider": dict(n_embd=96, n_head=4, n_layer=3, n_positions=320),
        "stored in f16": dict(dtype=torch.float16),
        "stored in bf16": dict(dtype=torch.bfloat16),
    }
    for number, (name, changes) in enumerate(shapes.items()):
        place = folder / f"gpt2-{number}"
        place.mkdir(parents=True, exist_ok=True)
        model = checkpoints.gpt2(place, 100 + number, 200, **changes)
        positions = model.config.n_positions
        worst, same, prompts = 0.0, True, [1, 2, 7, 31, positions - 12]
        file = place / "ids.txt"
        ids = [[(17 * at + 5 * length) % 200 for at in range(length)] for length in prompts]
        file.write_text("\n".join(" ".join(map(str, row)) for row in ids) + "\n")
        args = ["--device", device, "--model", str(place), "--ids", str(file), "--tokens", "12", "--logits"]
        for row, answer in zip(ids, run(binary, *args)["prompts"], strict=True):
            assert answer["input_ids"] == row
            expected = checkpoints.logits(model, row)
            worst = max(worst, float((torch.tensor(answer["logits"]) - expected).abs().max()))
            same &= answer["generated_ids"] == checkpoints.greedy(model, row, 12)
        largest = float(expected.abs().max())
        figure = f"logits off by {worst:.1e} at most (largest {largest:.1f}), greedy tokens {'the same' if same else 'differ'}"
        say(f"GPT-2 {name}", device, figure, worst <= LOGIT and same)


def bert(binary, device, folder):
    for number, changes in enumerate([{}, dict(hidden_act="gelu_new", layer_norm_eps=1e-3, intermediate_size=56)]):
        place = folder / f"bert-{number}"
        place.mkdir(parents=True, exist_ok=True)
        model = checkpoints.bert(place, 200 + number, 150, **changes)
        cosines = []
        for length in [1, 2, 5, 16, 32]:
            ids = [(13 * at + 3 * length) % 150 for at in range(length)]
            answer = run(binary, "--device", device, "--model", str(place), "--ids", ",".join(map(str, ids)))
            cosines.append(float(torch.tensor(answer["prompts"][0]["embedding"]) @ checkpoints.embedding(model, ids)))
        say(f"BERT, random, {changes or 'as it comes'}", device, f"least cosine {min(cosines):.8f}", min(cosines) >= COSINE)


def main(binary, folder, random):
    for device in devices(binary):
        # A software adapter takes seconds for a long text.
        lengths = range(3, 257) if device == "host" else [3, 4, 5, 8, 9, 16, 17, 33, 64, 65, 127, 128, 129, 200, 255, 256]
        minilm(binary, device, folder, lengths)
        gpt2(binary, device, random)
        bert(binary, device, random)
    if failures:
        sys.exit(f"{len(failures)} comparisons failed")
    print("all comparisons passed")


main(sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
