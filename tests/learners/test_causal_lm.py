"""The language-model learner: its contract, its loss against transformers' own, and bad input."""

import copy
import json
import pickle
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from veriloop.advance import Report, RowsDone, StepDone, heard_by
from veriloop.errors import ConfigError, CorruptFileError, DataError, VeriloopError
from veriloop.learners._language import models
from veriloop.learners._language.backends import Decoding
from veriloop.learners._language.generator import CausalLMGenerator
from veriloop.learners._language.rules import Prompt
from veriloop.learners.causal_lm import CausalLM
from veriloop.loop.one_round import Shortens
from veriloop.samples import Samples
from veriloop.schema import Completion, Messages, Schema, schema_of
from veriloop.testing import check_learner
from veriloop.testing.tiny import TinyGenerator

PAPER: dict[str, Any] = {"template": "Article: {document} Summary:", "completion": "summary"}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def learner(tiny_language: Path) -> CausalLM:
    return CausalLM.model_validate(
        {
            "model": str(tiny_language),
            "prompt": {**PAPER, "max_tokens": 40},
            "decoding": {"max_new_tokens": 8, "temperature": 1.0},
            "epochs": 1,
            "batch_size": 12,
            "learning_rate": 3e-3,
        }
    )


@pytest.fixture(scope="module")
def trained(learner: CausalLM, animals: Samples) -> CausalLMGenerator:
    return learner.model_copy(update={"epochs": 30, "learning_rate": 1e-2}).fit(animals, None, rng())


def weights_of(model: torch.nn.Module) -> NDArray[np.float32]:
    return torch.cat([p.detach().flatten() for p in model.parameters()]).numpy()


def weights(generator: CausalLMGenerator) -> NDArray[np.float32]:
    return weights_of(generator.language.model)


def test_keeps_the_contract(learner: CausalLM, animals: Samples) -> None:
    check_learner(learner, animals, animals.only(["id", "document", "reference"]))


def test_columns_of_the_user_are_taken_from_the_schema(learner: CausalLM, animals: Samples) -> None:
    own = Samples(prompt=animals["document"], completion=animals["summary"])
    schema = schema_of(own, own.only(["prompt"]))
    open_ = learner.model_copy(update={"prompt": Prompt(max_tokens=40)})
    with pytest.raises(ConfigError, match="is not configured for its data"):
        open_.fit(own, None, rng())
    suited = open_.suited_to(schema)
    check_learner(suited, own, own.only(["prompt"]))
    card = suited.prompt_card()
    assert card is not None
    assert (card.template, card.chat) == ("{prompt}", False)


def test_a_model_is_looked_for_before_anything_is_trained(
    learner: CausalLM, animals: Samples, tiny_language: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = schema_of(animals, animals.only(["document"]))
    monkeypatch.setattr(models, "find", lambda *_: pytest.fail("a model was loaded"))
    learner.check_ahead(schema)
    assert learner.sources() == {str(tiny_language): tiny_language}
    monkeypatch.setenv("VERILOOP_DATA", str(tiny_language.parent))
    there = learner.model_copy(update={"model": tiny_language.name})
    assert there.sources() == {tiny_language.name: tiny_language}
    hub = learner.model_copy(update={"model": "somebody/a-model"})
    hub.check_ahead(schema)
    assert hub.sources() == {}
    with pytest.raises(DataError, match=r"no model in '.*nowhere'"):
        learner.model_copy(update={"model": str(tmp_path / "nowhere")}).check_ahead(schema)


def test_learns_what_the_documents_say(
    learner: CausalLM, trained: CausalLMGenerator, animals: Samples
) -> None:
    # A model that ignores the document is right once in twelve.
    written = trained.greedy(animals.only(["id", "document", "reference"]))
    right = np.mean([w == r for w, r in zip(written["summary"], written["reference"], strict=True)])
    assert right > 0.5
    untrained = CausalLMGenerator(models.find(learner.model), learner.prompt, learner.decoding)
    assert trained.loss(animals)[0].sum() < 0.1 * untrained.loss(animals)[0].sum()


def test_training_reports_each_step_and_ends_early_where_it_is_enough(
    learner: CausalLM, animals: Samples
) -> None:
    heard: list[Report] = []
    with heard_by(heard.append):
        unheard = learner.fit(animals, None, rng())
    steps = [r for r in heard if isinstance(r, StepDone)]
    n = -(-len(animals) // 12)
    assert [(s.done, s.of) for s in steps] == [(done, n) for done in range(n + 1)]
    assert all(s.loss is not None and s.loss > 0 for s in steps[1:])
    assert all(s.gradient_norm is not None and s.gradient_norm > 0 for s in steps[1:])
    assert np.all(np.diff([s.tokens for s in steps]) > 0)
    np.testing.assert_array_equal(weights(unheard), weights(learner.fit(animals, None, rng())))
    ended: list[int] = []
    with heard_by(lambda how_far: ended.append(how_far.done) or how_far.done >= 2):
        learner.model_copy(update={"epochs": 50}).fit(animals, None, rng())
    assert ended == [0, 1, 2]


def test_writing_reports_rows_and_tokens(trained: CausalLMGenerator, animals: Samples) -> None:
    heard: list[Report] = []
    with heard_by(heard.append):
        _, notes = trained.sample_with_notes(
            len(animals), rng(), animals.only(["id", "document", "reference"])
        )
    assert notes.tokens is not None
    assert heard[-1] == RowsDone(len(animals), len(animals), int(notes.tokens.sum()))
    assert [r.done for r in heard] == sorted(r.done for r in heard)
    heard.clear()
    with heard_by(heard.append):
        trained.loss(animals)
    assert heard[-1].done == heard[-1].of == len(animals)


def test_the_loss_is_that_of_each_completion_alone(trained: CausalLMGenerator, animals: Samples) -> None:
    nll, counts = trained.loss(animals)
    model, tokenizer = trained.language
    for i in (0, 1, 3, 47):
        prompt = tokenizer(f"Article: {animals['document'][i]} Summary:")["input_ids"]
        completion = [*tokenizer(f" {animals['summary'][i]}")["input_ids"], tokenizer.eos_token_id]
        assert len(prompt) <= 40, "this test's prompts are to be whole"
        ids = torch.tensor([prompt + completion])
        labels = torch.tensor([[-100] * len(prompt) + completion])
        mean = model(input_ids=ids, labels=labels).loss
        assert counts[i] == len(completion)
        assert nll[i] == pytest.approx(mean.item() * len(completion), rel=1e-5)


def test_equal_streams_train_equal_weights_to_the_bit(learner: CausalLM, animals: Samples) -> None:
    before = torch.get_rng_state()
    first, again, other = (weights(learner.fit(animals, None, rng(seed))) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert torch.equal(torch.get_rng_state(), before), "torch's global stream is not ours to move"


def test_passes_change_nothing_but_rounding(learner: CausalLM, animals: Samples) -> None:
    one_row, all_rows = (
        weights(learner.model_copy(update={"tokens_per_pass": n}).fit(animals, None, rng()))
        for n in (1, 4096)
    )
    assert not np.array_equal(one_row, all_rows)
    # Adam divides by the gradient's size: rounding moves a weight by a small part of a step, 3e-3.
    np.testing.assert_allclose(one_row, all_rows, atol=1e-4)


def test_gradient_checkpointing_changes_nothing(learner: CausalLM, animals: Samples) -> None:
    plain = weights(learner.fit(animals, None, rng()))
    saving = learner.model_copy(update={"gradient_checkpointing": True}).fit(animals, None, rng())
    np.testing.assert_allclose(weights(saving), plain, atol=1e-6)


def test_max_steps_ends_early(learner: CausalLM, animals: Samples) -> None:
    short = learner.model_copy(update={"epochs": 50, "max_steps": 4}).fit(animals, None, rng())
    assert np.array_equal(weights(short), weights(learner.fit(animals, None, rng())))  # 48 rows, 12 a step


def test_a_warm_start_goes_on(learner: CausalLM, trained: CausalLMGenerator, animals: Samples) -> None:
    warm = learner.fit(animals, trained, rng())
    fresh = learner.fit(animals, None, rng())
    assert warm.loss(animals)[0].sum() < 0.5 * fresh.loss(animals)[0].sum()
    with pytest.raises(DataError, match="cannot start from this model"):
        learner.fit(animals, TinyGenerator(np.zeros((3, 2)), np.ones((3, 2))), rng())


def test_bfloat16_learns_in_float32_weights_and_computes_alike_when_loaded(
    learner: CausalLM, animals: Samples, tmp_path: Path
) -> None:
    half = learner.model_copy(update={"precision": "bfloat16", "epochs": 4}).fit(animals, None, rng())
    assert {p.dtype for p in half.language.model.parameters()} == {torch.float32}
    start = CausalLMGenerator(models.find(learner.model), learner.prompt, learner.decoding)
    assert half.loss(animals)[0].sum() < start.loss(animals)[0].sum()
    exact = CausalLMGenerator(half.language, learner.prompt, learner.decoding, "float32")
    assert not np.array_equal(half.loss(animals)[0], exact.loss(animals)[0])
    half.save(tmp_path)
    loaded = CausalLMGenerator.load(tmp_path)
    assert np.array_equal(loaded.loss(animals)[0], half.loss(animals)[0])
    assert loaded.greedy(animals).same_as(half.greedy(animals))


def test_small_steps_in_bfloat16_are_not_lost(learner: CausalLM, animals: Samples) -> None:
    slow = learner.model_copy(update={"precision": "bfloat16", "learning_rate": 1e-6, "epochs": 1})
    once = slow.fit(animals, None, rng())
    twice = slow.fit(animals, once, rng())
    # Each weight moves by less than bfloat16 can say of it.
    assert np.abs(weights(twice) - weights(once)).max() > 1e-7


def test_auto_is_float32_for_a_small_model(learner: CausalLM, animals: Samples, tmp_path: Path) -> None:
    learner.fit(animals, None, rng()).save(tmp_path)
    assert json.loads((tmp_path / "causal_lm.json").read_text())["precision"] == "float32"


def test_a_pickled_generator_is_the_same(trained: CausalLMGenerator, animals: Samples) -> None:
    again = pickle.loads(pickle.dumps(trained))
    assert again.sample(48, rng(3), animals).same_as(trained.sample(48, rng(3), animals))


@pytest.mark.parametrize("name", ["causal_lm.json", "config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99, None])
def test_a_damaged_file_is_a_corrupt_file_error(
    trained: CausalLMGenerator, tmp_path: Path, name: str, keep: float | None
) -> None:
    trained.save(tmp_path)
    path = tmp_path / name
    if keep is None:
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[: int(keep * (len(content) - 2))])
    with pytest.raises(CorruptFileError) as caught:
        CausalLMGenerator.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_empty_completion_teaches_to_stop_at_once(learner: CausalLM, animals: Samples) -> None:
    silent = animals.with_columns(summary=[""] * len(animals))
    generator = learner.model_copy(update={"epochs": 6, "learning_rate": 1e-2}).fit(silent, None, rng())
    assert generator.greedy(animals)["summary"] == [""] * len(animals)
    assert generator.loss(silent)[1].tolist() == [1] * len(animals)


def test_without_samples_the_model_is_taken_as_it_is(learner: CausalLM, animals: Samples) -> None:
    untrained = learner.fit(animals.select(slice(0)), None, rng())
    assert np.array_equal(weights(untrained), weights_of(models.find(learner.model).model))


def test_the_loop_sees_which_prompts_are_cut(trained: CausalLMGenerator, animals: Samples) -> None:
    assert isinstance(trained, Shortens)
    longer = animals.select(slice(2)).with_columns(document=["A cat.", "A cat walks by. " * 30])
    assert trained.cut(longer).tolist() == [False, True]


def test_no_prompts_are_no_problem(trained: CausalLMGenerator, animals: Samples) -> None:
    none = animals.select(slice(0))
    assert trained.sample(0, rng(), none)["summary"] == []
    assert [len(x) for x in trained.loss(none)] == [0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.only(["id", "summary"]), "no such column: got 'document'"),
        (lambda s: s.only(["id", "document"]), "no such column: got 'summary'"),
        (lambda s: s.with_columns(document=np.arange(48)), "column 'document' is an array"),
    ],
)
def test_wrong_training_data_are_refused(learner: CausalLM, animals: Samples, change, message: str) -> None:
    with pytest.raises(DataError, match=message):
        learner.fit(change(animals), None, rng())


def test_wrong_conditions_are_refused(trained: CausalLMGenerator, animals: Samples) -> None:
    for condition in (None, animals, animals.select(slice(3)).only(["id"])):
        with pytest.raises(DataError):
            trained.sample(3, rng(), condition)


def test_no_pad_token_is_needed(trained: CausalLMGenerator) -> None:
    assert trained.language.tokenizer.pad_token is None


def test_chat_without_a_template_is_refused(learner: CausalLM, animals: Samples) -> None:
    chat = CausalLM.model_validate({**learner.model_dump(), "prompt": {**PAPER, "chat": True}})
    with pytest.raises(DataError, match=r"no chat template.*chat: false"):
        chat.fit(animals, None, rng())


def test_a_model_without_numbers_writes_nothing(trained: CausalLMGenerator, animals: Samples) -> None:
    broken = copy.deepcopy(trained.language.model)
    next(broken.parameters()).fill_(float("nan"))
    language = models.Language(broken, trained.language.tokenizer)
    generator = CausalLMGenerator(language, Prompt(**PAPER), Decoding(max_new_tokens=4))
    with pytest.raises(VeriloopError, match="returns NaN"):
        generator.greedy(animals)


def test_more_tokens_than_the_model_has_places_for_are_refused(learner: CausalLM, animals: Samples) -> None:
    long = CausalLM.model_validate({**learner.model_dump(), "prompt": {**PAPER, "max_tokens": 2045}})
    with pytest.raises(DataError, match=r"got '2045 \+ 8', expected at most 2048.*Lower prompt.max_tokens"):
        long.fit(animals, None, rng())


def test_divergence_is_told(learner: CausalLM, animals: Samples) -> None:
    wild = learner.model_copy(update={"learning_rate": 0.999, "weight_decay": 0.0, "epochs": 2})
    broken = wild.fit(animals, None, rng())
    with torch.no_grad():
        for p in broken.language.model.parameters():
            p.mul_(1e30)
    with pytest.raises(VeriloopError, match=r"training diverged.*Lower learning_rate"):
        learner.fit(animals, broken, rng())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prompt": {"template": "Say something"}}, "prompt.template does not name a column"),
        ({"prompt": {**PAPER, "shorten": "title"}}, "a column that the template names .document."),
        ({"prompt": {**PAPER, "template": "{document} {summary}"}}, "reveals the completion"),
        ({"prompt": {"template": "{document"}}, "template"),
        ({"prompt": {"max_token": 3}}, "Did you mean 'max_tokens'"),
        ({"decoding": {"temperature": -1}}, "temperature"),
        ({"decoding": {"top_p": 0}}, "top_p"),
        ({"decoding": {"backend": {"kind": "abacus"}}}, "abacus"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"lora": {"rank": 0}}, "rank"),
    ],
)
def test_impossible_settings_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CausalLM.model_validate({"model": "m", **fields})


@pytest.mark.slow
def test_several_processes_train_by_trl(learner: CausalLM, animals: Samples) -> None:
    pytest.importorskip("trl")
    fields = {**learner.model_dump(), "processes": 2, "epochs": 8, "learning_rate": 1e-2, "lora": {"rank": 8}}
    parallel = CausalLM.model_validate(fields)
    heard: list[Report] = []
    with heard_by(heard.append):
        trained = parallel.fit(animals, None, rng())
    steps = 8 * -(-len(animals) // 12)
    assert [(r.done, r.of) for r in heard] == [(done, steps) for done in range(1, steps + 1)]
    assert all(isinstance(r, StepDone) and r.loss and r.gradient_norm for r in heard)
    start = CausalLMGenerator(models.find(learner.model), learner.prompt, learner.decoding)
    assert (
        dict(trained.language.model.named_parameters()).keys()
        == dict(start.language.model.named_parameters()).keys()
    )
    assert trained.loss(animals)[0].sum() < 0.95 * start.loss(animals)[0].sum()
    with pytest.raises(ConfigError, match="batch_size: got 13, expected a multiple of processes=2"):
        parallel.model_copy(update={"batch_size": 13}).fit(animals, None, rng())


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "model.pth"])
def test_weights_that_are_pickles_are_refused_before_and_when_loaded(
    name: str, tiny_language: Path, tmp_path: Path, animals: Samples
) -> None:
    folder = Path(shutil.copytree(tiny_language, tmp_path / "m"))
    learner = CausalLM(model=str(folder), prompt=Prompt(**PAPER))
    (folder / name).write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    schema = Schema({"document": {"role": "prompt"}, "summary": {"role": "completion"}})
    learner.check_ahead(schema)
    (folder / "model.safetensors").rename(folder / "weights.elsewhere")
    for attempt in (lambda: learner.check_ahead(schema), lambda: learner.fit(animals, None, rng())):
        with pytest.raises(DataError, match=f"no weights as safetensors: got '{name}, a pickle"):
            attempt()


def test_an_adapter_is_its_model_with_the_adapters_weights(
    tiny_language: Path, animals: Samples, tmp_path: Path
) -> None:
    peft = pytest.importorskip("peft")
    base = models.find(str(tiny_language))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries about each other
        lora = peft.LoraConfig(
            r=2, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False
        )
        peft.get_peft_model(base.model, lora).save_pretrained(tmp_path / "adapter")
    merged = models.find(str(tmp_path / "adapter"))
    plain = models.find(str(tiny_language))
    assert type(merged.model) is type(plain.model)
    changed = [
        not torch.equal(a, b)
        for a, b in zip(merged.model.parameters(), plain.model.parameters(), strict=True)
        if a.ndim == 2
    ]
    assert sum(changed) >= len(changed) - 1, "all linear layers, and not the embedding"
    learner = CausalLM(model=str(tmp_path / "adapter"), prompt=Prompt(**PAPER))
    assert list(learner.sources().values()) == [tmp_path / "adapter", tiny_language]
    generator = learner.fit(animals.select(slice(0)), None, rng())
    assert all(
        torch.equal(a, b)
        for a, b in zip(generator.language.model.parameters(), merged.model.parameters(), strict=True)
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "does not name a base model"),
        ('{"base_model_name_or_path": "./gone"}', "is for a model that cannot be found"),
    ],
)
def test_an_adapter_without_its_model_is_one_line(
    learner: CausalLM, animals: Samples, tmp_path: Path, content: str, words: str
) -> None:
    (tmp_path / "adapter_config.json").write_text(content)
    schema = schema_of(animals, animals.only(["document"]))
    with pytest.raises(DataError, match=words) as error:
        learner.model_copy(update={"model": str(tmp_path)}).check_ahead(schema)
    assert "\n" not in str(error.value)


def test_chats_want_a_model_with_a_chat_template_ahead(learner: CausalLM, tiny_language: Path) -> None:
    chats = Schema({"messages": Messages(), "completion": Completion(in_data=False)})
    open_ = learner.model_copy(update={"prompt": Prompt()})
    with pytest.raises(DataError, match=r"has no chat template.*instruct version"):
        open_.check_ahead(chats)
