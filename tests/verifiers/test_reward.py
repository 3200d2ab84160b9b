from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from veriloop.errors import ConfigError, DataError
from veriloop.samples import Samples
from veriloop.testing.contracts import check_part
from veriloop.verdicts import Decision
from veriloop.verifiers.reward import RewardModel

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "story", "a", "is", "this", "user", "assistant"]
TEXTS = ["this is a good story", "bad", "", "story " * 40, "good " * 100, "this is bad", "a a a"]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random BERT with three labels, and one with a single output, each with its tokenizer."""
    root = tmp_path_factory.mktemp("models")
    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]"
    )
    shape: dict[str, Any] = {
        "vocab_size": len(WORDS),
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 128,
        "initializer_range": 0.5,
    }
    for name, labels in {"one": 1, "three": 3}.items():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            config = transformers.BertConfig(**shape)
            config.num_labels = labels
            transformers.BertForSequenceClassification(config).save_pretrained(root / name)
        tokenizer.save_pretrained(root / name)
    return root


def one_by_one(folder: Path, texts: list[str], **options: Any) -> np.ndarray:
    """The reference: each text alone, without padding."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        return np.array(
            [
                model(**tokenizer(t, truncation=True, max_length=96, return_tensors="pt", **options))
                .logits[0]
                .numpy()
                for t in texts
            ]
        )


def test_scores_are_those_of_each_text_alone(folder: Path) -> None:
    verdicts = RewardModel(model=str(folder / "one"), max_tokens=96).verify(Samples(text=TEXTS), rng())
    expected = one_by_one(folder / "one", TEXTS)[:, 0]
    assert verdicts.score == pytest.approx(expected, abs=1e-5)
    assert np.ptp(verdicts.score) > 0.01, "a random model still tells texts apart"
    assert verdicts.count(Decision.OPEN) == len(TEXTS)


@pytest.mark.parametrize("label", [2, "LABEL_2"])
def test_the_score_of_several_labels_is_a_probability(label: str | int, folder: Path) -> None:
    verifier = RewardModel(model=str(folder / "three"), label=label, max_tokens=96)
    logits = one_by_one(folder / "three", TEXTS)
    expected = np.exp(logits[:, 2]) / np.exp(logits).sum(axis=1)
    assert verifier.verify(Samples(text=TEXTS), rng()).score == pytest.approx(expected, abs=1e-5)


def test_a_score_does_not_depend_on_the_company(folder: Path) -> None:
    verifier = RewardModel(model=str(folder / "one"), max_tokens=96, batch_size=4)
    together = verifier.verify(Samples(text=TEXTS * 3), rng()).score
    alone = [verifier.verify(Samples(text=[text]), rng()).score[0] for text in TEXTS]
    assert together.tolist() == alone * 3


def test_a_prompt_makes_a_pair(folder: Path) -> None:
    verifier = RewardModel(model=str(folder / "one"), prompt="asked", max_tokens=96)
    samples = Samples(text=["good", "bad"], asked=["a story", "a story"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "one")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder / "one").eval()
    with torch.inference_mode():
        expected = [
            model(**tokenizer("a story", t, return_tensors="pt")).logits.item() for t in ("good", "bad")
        ]
    assert verifier.verify(samples, rng()).score == pytest.approx(expected, abs=1e-5)


def test_a_chat_template_is_used(folder: Path, tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "one")
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }} {{ m.content }} {% endfor %}"
    tokenizer.save_pretrained(tmp_path)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder / "one").eval()
    model.save_pretrained(tmp_path)
    samples = Samples(text=["good"], asked=["a story"])
    ids = tokenizer("user a story assistant good", add_special_tokens=False, return_tensors="pt")
    with torch.inference_mode():
        expected = model(**ids).logits.item()
    score = RewardModel(model=str(tmp_path), prompt="asked").verify(samples, rng()).score
    assert score == pytest.approx([expected], abs=1e-5)


def test_it_is_a_part_and_empty_input_is_none(folder: Path) -> None:
    verifier = RewardModel(model=str(folder / "one"))
    check_part(verifier)
    assert len(verifier.verify(Samples(text=[]), rng())) == 0


def test_wrong_labels_and_models(folder: Path, tmp_path: Path) -> None:
    samples = Samples(text=["good"], x=np.zeros(1))
    with pytest.raises(ConfigError, match="expected one of LABEL_0, LABEL_1, LABEL_2"):
        RewardModel(model=str(folder / "three")).verify(samples, rng())
    with pytest.raises(ConfigError, match="got 'nice'"):
        RewardModel(model=str(folder / "three"), label="nice").verify(samples, rng())
    with pytest.raises(ConfigError, match="got 'nice'"):
        RewardModel(model=str(folder / "three"), label="nice").check_ahead(["text"])
    RewardModel(model=str(folder / "three"), label=1).check_ahead(["text"])
    with pytest.raises(DataError, match="cannot be loaded"):
        RewardModel(model=str(tmp_path)).verify(samples, rng())
    with pytest.raises(DataError, match="holds numbers"):
        RewardModel(model=str(folder / "one"), text="x").verify(samples, rng())
