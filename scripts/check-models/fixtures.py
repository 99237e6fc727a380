"""Makes the fixtures of the tests: tiny random checkpoints, with what transformers computes with them."""

import json
import pathlib
import sys

import checkpoints

TEXT = [
    "a cache is a promise that nothing is made twice",
    "the first token is slow and the second one is not",
    "every pipeline, weight and key comes out of the caches",
]
TOKENS = 12
LIMIT = 24


def numbers(tensor):
    return [round(float(x), 6) for x in tensor]


def main(folder):
    gpt2 = folder / "gpt2-tiny"
    gpt2.mkdir(parents=True, exist_ok=True)
    tokenizer = checkpoints.byte_tokenizer(gpt2, TEXT, 280)
    model = checkpoints.gpt2(gpt2, 1, tokenizer.get_vocab_size(), n_inner=40)
    cases = []
    for text in ["a", "Twice: a cache \u00fcber alles", " ".join(TEXT)[:60]]:
        ids = tokenizer.encode(text).ids
        case = {"text": text, "ids": ids, "logits": numbers(checkpoints.logits(model, ids))}
        cases.append({**case, "generated": checkpoints.greedy(model, ids, TOKENS)})
    save(gpt2, cases)

    bert = folder / "bert-tiny"
    bert.mkdir(parents=True, exist_ok=True)
    tokenizer = checkpoints.word_tokenizer(bert, TEXT, 120)
    model = checkpoints.bert(bert, 2, tokenizer.get_vocab_size())
    (bert / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": LIMIT, "do_lower_case": False}) + "\n")
    tokenizer.enable_truncation(LIMIT)
    cases = []
    for text in ["a", "Nothing is made twice!", " ".join(TEXT)]:
        ids = tokenizer.encode(text).ids
        cases.append({"text": text, "ids": ids, "embedding": numbers(checkpoints.embedding(model, ids))})
    save(bert, cases)


def save(folder, cases):
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "expected.json").write_text(json.dumps(cases) + "\n")


main(pathlib.Path(sys.argv[1]))
