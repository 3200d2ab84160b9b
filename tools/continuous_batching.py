"""Our generation against transformers' continuous batching, on the CPU, with a small untrained model.

    python tools/continuous_batching.py

Greedy completions of 48 tokens for 32 prompts of 100 to 1,000 tokens; seconds of processor time, one
thread.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from transformers import ContinuousBatchingConfig, GenerationConfig

from veriloop.executors.threads import limit_threads
from veriloop.learners._language import models
from veriloop.learners._language.backends import Decoding
from veriloop.learners._language.decoding import write
from veriloop.testing.language import save_tiny_language

PROMPTS, NEW = 32, 48


def seconds(function: Callable[[], list[list[int]]]) -> tuple[float, list[list[int]]]:
    """Processor time of a second call, and what it gave; the first one warms up."""
    function()
    began = time.process_time()
    written = function()
    return time.process_time() - began, written


def main() -> None:
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as scratch, limit_threads(1):
        save_tiny_language(Path(scratch), ["a tiny text"], hidden=128)
        language = models.find(scratch)
        prompts = [rng.integers(1, 256, size=n).tolist() for n in rng.integers(100, 1000, size=PROMPTS)]
        settings = GenerationConfig(max_new_tokens=NEW, do_sample=False, eos_token_id=-1)
        library: Any = language.model  # the mixin that generates is untyped

        def theirs() -> list[list[int]]:
            # Its default cache takes most of the memory that there is: as many pages as these prompts need.
            pages = ContinuousBatchingConfig(page_size=32, num_blocks=PROMPTS * 36, max_batch_tokens=2048)
            found = library.generate_batch(prompts, settings, pages)
            return [found[f"req_{i}"].generated_tokens for i in range(PROMPTS)]

        def ours() -> list[list[int]]:
            decoding = Decoding(max_new_tokens=NEW)
            return write(language.model, prompts, frozenset(), decoding, 8 * 1048, np.random.default_rng(0))

        (here, written), (there, also) = seconds(ours), seconds(theirs)
    same = sum(a == b for a, b in zip(written, also, strict=True))
    print(f"ours {here:.1f} s, continuous batching {there:.1f} s; {same} of {PROMPTS} completions equal")


if __name__ == "__main__":
    main()
