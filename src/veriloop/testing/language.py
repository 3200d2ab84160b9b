"""A tiny language model in a folder, for tests of training and sampling."""

from collections.abc import Sequence
from pathlib import Path

from ..extras import require
from ..rng import Address, global_torch

END = "<|end|>"
"""End-of-text token; there is no pad token and no chat template."""


def save_tiny_language(folder: Path, texts: Sequence[str], vocabulary: int = 300, hidden: int = 32) -> None:
    """Write an untrained Llama model of two layers, and a tokenizer trained on ``texts``.

    The folder has Hugging Face's layout; equal arguments give equal models.

    Args:
        folder: Path of the folder, created if missing.
        texts: Training texts of the byte-pair tokenizer; any text can be encoded.
        vocabulary: Number of tokens, at least 257: one per byte, and the end of text.
        hidden: Width of the model, divisible by 16.

    Raises:
        MissingExtraError: transformers is not installed.
    """
    require("transformers", "tokenizers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokens = Tokenizer(models.BPE())
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = decoders.ByteLevel()
    tokens.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=[END],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokens, eos_token=END)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokens.token_to_id(END),
    )
    with global_torch(Address(0).rng()):
        model = LlamaForCausalLM(config)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
