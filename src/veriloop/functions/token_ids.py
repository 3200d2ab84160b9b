"""The token ids of texts, for functions that count or look at tokens."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..extras import require

TOKEN_IDS = "completion_ids"
"""Name under which they are passed to a function."""


FILES = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json")
"""Files, one of which is in a tokenizer's folder."""


def token_ids(tokenizer: str, texts: Sequence[str]) -> list[list[int]]:
    """Return the ids of each text, without special tokens.

    Args:
        tokenizer: Folder, or name on the hub.
        texts: Texts in order.

    Raises:
        ConfigError: There is no such tokenizer.
        MissingExtraError: transformers is not installed.
    """
    return _load(tokenizer)(list(texts), add_special_tokens=False)["input_ids"] if texts else []


def check_tokenizer(tokenizer: str) -> None:
    """Check that a tokenizer exists, without loading it.

    Raises:
        ConfigError: It is a folder without a tokenizer, or not a folder.
        MissingExtraError: transformers is not installed.
    """
    require("transformers")
    folder = Path(tokenizer)
    missing = not any((folder / name).is_file() for name in FILES)
    if missing and (folder.is_dir() or tokenizer.startswith((".", "/", "~")) or tokenizer.count("/") > 1):
        expected = "a folder with a tokenizer, or a name on the hub"
        raise ConfigError("tokenizer", got=tokenizer, expected=expected)


@lru_cache(maxsize=2)
def _load(tokenizer: str) -> Any:
    require("transformers")
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(tokenizer)
    except (OSError, ValueError) as e:
        expected = "a folder with a tokenizer, or a name on the hub"
        raise ConfigError("tokenizer", got=tokenizer, expected=expected) from e
