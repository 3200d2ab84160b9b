import shutil
import subprocess
import sys
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
from veriloop.schema import Schema
from veriloop.testing import check_part
from veriloop.verdicts import Decision
from veriloop.verifiers.reward import RewardModel, _labels_in

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "story", "a", "is", "this", "user", "assistant"]
TEXTS = ["this is a good story", "bad", "", "story " * 40, "good " * 100, "this is bad", "a a a"]


DATA = Schema({"asked": {"role": "prompt"}, "said": {"role": "completion"}})


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
    verdicts = RewardModel(model=str(folder / "one"), max_tokens=96).verify(Samples(completion=TEXTS), rng())
    expected = one_by_one(folder / "one", TEXTS)[:, 0]
    assert verdicts.score == pytest.approx(expected, abs=1e-5)
    assert np.ptp(verdicts.score) > 0.01, "a random model still tells texts apart"
    assert verdicts.count(Decision.OPEN) == len(TEXTS)


@pytest.mark.parametrize("label", [2, "LABEL_2"])
def test_the_score_of_several_labels_is_a_probability(label: str | int, folder: Path) -> None:
    verifier = RewardModel(model=str(folder / "three"), label=label, max_tokens=96)
    logits = one_by_one(folder / "three", TEXTS)
    expected = np.exp(logits[:, 2]) / np.exp(logits).sum(axis=1)
    assert verifier.verify(Samples(completion=TEXTS), rng()).score == pytest.approx(expected, abs=1e-5)


def test_a_score_does_not_depend_on_the_company(folder: Path) -> None:
    verifier = RewardModel(model=str(folder / "one"), max_tokens=96, batch_size=4)
    together = verifier.verify(Samples(completion=TEXTS * 3), rng()).score
    alone = [verifier.verify(Samples(completion=[text]), rng()).score[0] for text in TEXTS]
    assert together.tolist() == alone * 3


def test_a_prompt_makes_a_pair(folder: Path) -> None:
    verifier = RewardModel(model=str(folder / "one"), prompt="asked", max_tokens=96)
    samples = Samples(completion=["good", "bad"], asked=["a story", "a story"])
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
    samples = Samples(completion=["good"], asked=["a story"])
    ids = tokenizer("user a story assistant good", add_special_tokens=False, return_tensors="pt")
    with torch.inference_mode():
        expected = model(**ids).logits.item()
    score = RewardModel(model=str(tmp_path), prompt="asked").verify(samples, rng()).score
    assert score == pytest.approx([expected], abs=1e-5)


def test_it_is_a_part_and_empty_input_is_none(folder: Path) -> None:
    verifier = RewardModel(model=str(folder / "one"))
    check_part(verifier)
    assert len(verifier.verify(Samples(completion=[]), rng())) == 0


def test_wrong_labels_and_models(folder: Path, tmp_path: Path) -> None:
    samples = Samples(completion=["good"], x=np.zeros(1))
    with pytest.raises(ConfigError, match="expected one of LABEL_0, LABEL_1, LABEL_2"):
        RewardModel(model=str(folder / "three")).verify(samples, rng())
    with pytest.raises(ConfigError, match="got 'nice'"):
        RewardModel(model=str(folder / "three"), label="nice").verify(samples, rng())
    with pytest.raises(ConfigError, match="got 'nice'"):
        RewardModel(model=str(folder / "three"), label="nice").check_ahead(DATA)
    RewardModel(model=str(folder / "three"), label=1).check_ahead(DATA)
    with pytest.raises(DataError, match="cannot be loaded"):
        RewardModel(model=str(tmp_path)).verify(samples, rng())
    with pytest.raises(DataError, match="holds numbers"):
        RewardModel(model=str(folder / "one"), text="x").verify(samples, rng())


def test_columns_come_from_the_data() -> None:
    suited = RewardModel(model="m").suited_to(DATA)
    assert (suited.text, suited.prompt) == ("said", "asked")
    alone = RewardModel(model="m", prompt=False).suited_to(DATA)
    assert (alone.text, alone.prompt) == ("said", False)
    assert RewardModel(model="m").suited_to(Schema({"said": DATA["said"]})).prompt is False
    with pytest.raises(ConfigError, match="text: got 'summary', expected a column of the data"):
        RewardModel(model="m", text="summary").suited_to(DATA)


def test_the_prompt_is_seen_unless_it_is_refused(folder: Path) -> None:
    samples = Samples(prompt=["a story", "bad"], completion=["good", "good"])
    with_prompt, alone = (
        RewardModel(model=str(folder / "one"), prompt=p).verify(samples, rng()).score for p in (None, False)
    )
    assert alone[0] == alone[1]
    assert with_prompt[0] != with_prompt[1]


@pytest.mark.parametrize(
    ("name", "labels"),
    [("one", {"LABEL_0": 0}), ("three", {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2})],
)
def test_labels_are_read_as_the_library_reads_them(name: str, labels: dict[str, int], folder: Path) -> None:
    assert _labels_in(folder / name) == labels
    assert transformers.AutoConfig.from_pretrained(folder / name).label2id == labels


def test_two_labels_are_the_default_that_is_not_spelled_out(tmp_path: Path) -> None:
    transformers.BertConfig().save_pretrained(tmp_path)
    assert _labels_in(tmp_path) == transformers.AutoConfig.from_pretrained(tmp_path).label2id


def test_a_model_that_is_not_there_is_told_ahead(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no folder ./no-such-model: expected a model's folder"):
        RewardModel(model="./no-such-model").check_ahead(DATA)
    with pytest.raises(DataError, match=r"cannot be loaded .*config\.json"):
        RewardModel(model=str(tmp_path)).check_ahead(DATA)
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(DataError, match="cannot be loaded"):
        RewardModel(model=str(tmp_path)).check_ahead(DATA)


def test_looking_at_the_model_ahead_imports_neither_torch_nor_transformers(folder: Path) -> None:
    code = (
        "import sys; from veriloop.verifiers.reward import RewardModel; from veriloop.schema import Schema\n"
        f"RewardModel(model={str(folder / 'one')!r}).check_ahead(Schema({{}}))\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_models_folder_is_a_source(folder: Path) -> None:
    model = str(folder / "one")
    assert RewardModel(model=model).sources() == {f"model {model}": folder / "one"}
    assert RewardModel(model="someone/something").sources() == {}


def test_weights_that_are_pickles_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder / "one", tmp_path / "m"))
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    verifier = RewardModel(model=str(copy))
    with pytest.raises(DataError, match=r"no weights as safetensors.*pytorch_model\.bin"):
        verifier.check_ahead(DATA)
    with pytest.raises(DataError, match="safetensors"):
        verifier.verify(Samples(completion=TEXTS), rng())
