"""Small random checkpoints, saved by transformers, and what transformers computes with them."""

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel

# Large enough that every layer shows in the logits; transformers' own 0.02 leaves them near 0.
DEVIATION = 0.25


def gpt2(folder, seed, vocabulary, dtype=torch.float32, **changes):
    torch.manual_seed(seed)
    sizes = dict(vocab_size=vocabulary, n_positions=64, n_embd=24, n_layer=2, n_head=3)
    ends = dict(bos_token_id=0, eos_token_id=None, pad_token_id=None)
    config = GPT2Config(**{**sizes, **ends, "initializer_range": DEVIATION, **changes})
    model = GPT2LMHeadModel(config).eval()
    vary(model)
    with torch.no_grad():
        # Loud positions, or it says one token for ever.
        model.transformer.wpe.weight.mul_(4)
    model.to(dtype).save_pretrained(folder)
    # The reference computes in f32 with the weights as they were rounded.
    return GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).eval()


def bert(folder, seed, vocabulary, **changes):
    torch.manual_seed(seed)
    sizes = dict(vocab_size=vocabulary, hidden_size=24, num_hidden_layers=2, num_attention_heads=3)
    rest = dict(intermediate_size=40, max_position_embeddings=32, initializer_range=DEVIATION)
    model = BertModel(BertConfig(**{**sizes, **rest, **changes}), add_pooling_layer=False).eval()
    vary(model)
    model.save_pretrained(folder)
    return model


def vary(model):
    """Biases and norms that are not 0 and 1, so that one left out is noticed."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)


@torch.no_grad()
def logits(model, ids):
    return model(torch.tensor([ids])).logits[0, -1]


@torch.no_grad()
def greedy(model, ids, tokens):
    ids = list(ids)
    start = len(ids)
    while len(ids) - start < tokens and len(ids) <= model.config.n_positions:
        ids.append(int(logits(model, ids).argmax()))
    return ids[start:]


@torch.no_grad()
def embedding(model, ids):
    states = model(torch.tensor([ids])).last_hidden_state[0]
    return torch.nn.functional.normalize(states.mean(dim=0), dim=0)


def byte_tokenizer(folder, text, vocabulary):
    """A tokenizer of GPT-2's kind."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(text, trainer)
    tokenizer.save(f"{folder}/tokenizer.json", pretty=False)
    return tokenizer


def word_tokenizer(folder, text, vocabulary):
    """A tokenizer of BERT's kind, that pads and cuts texts as that of all-MiniLM-L6-v2 does."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=vocabulary, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(text, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    unpadded = Tokenizer.from_str(tokenizer.to_str())
    tokenizer.enable_padding(length=16)
    tokenizer.enable_truncation(16)
    tokenizer.save(f"{folder}/tokenizer.json", pretty=False)
    return unpadded
