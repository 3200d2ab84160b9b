"""SmolLM2-135M as it is, but for its weights, which are random: one whole round."""

import os
from pathlib import Path

import numpy as np
import pytest

from veriloop.learners._language.generator import CausalLMGenerator
from veriloop.learners.causal_lm import CausalLM
from veriloop.samples import Samples
from veriloop.verifiers.reference import ReferenceOverlap

TOKENIZER = Path(os.environ.get("VERILOOP_DATA", "")) / "smollm2-tokenizer"


@pytest.mark.slow
@pytest.mark.skipif(not TOKENIZER.is_dir(), reason="needs $VERILOOP_DATA/smollm2-tokenizer")
def test_one_round_of_the_true_architecture(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 100_000},
        rms_norm_eps=1e-5,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    model = LlamaForCausalLM(config)
    assert model.num_parameters() == 134_515_008
    folder = tmp_path / "SmolLM2-135M"
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(TOKENIZER).save_pretrained(folder)
    del model

    learner = CausalLM.model_validate(
        {
            "model": str(folder),
            "prompt": {
                "template": "Article: {document} Summary:",
                "completion": "summary",
                "chat": True,
                "max_tokens": 48,
            },
            "decoding": {"max_new_tokens": 4},
            "batch_size": 2,
            "learning_rate": 1e-3,
        }
    )
    real = Samples(
        document=["A tornado hit a campsite on the island. " * 9, "Mr Berruyer will take over in October."],
        summary=["Eight were hurt by a storm.", "Sage has a new head."],
        reference=["Eight were hurt by a storm.", "Sage has a new head."],
    )
    rng = np.random.default_rng(0)
    start = learner.fit(real, None, rng)
    assert start.cut(real).tolist() == [True, False]
    candidates = start.sample(2, rng, real.only(["document", "reference"]))
    verdicts = ReferenceOverlap(column="summary", reference="reference").verify(candidates, rng)
    kept = candidates.select(np.argsort(-verdicts.score, kind="stable")[:1])
    after = learner.fit(kept, start, rng)
    assert after.loss(kept)[0].sum() < start.loss(kept)[0].sum()
    (tmp_path / "round").mkdir()
    after.save(tmp_path / "round")
    assert CausalLMGenerator.load(tmp_path / "round").greedy(real).same_as(after.greedy(real))
