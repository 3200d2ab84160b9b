"""Exports of a real run of a tiny language model: what is in them, and that `datasets` and TRL take them."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typing_extensions import override

from veriloop.ask.export import FORMS, Form, export
from veriloop.config import plan_from
from veriloop.errors import ConfigError, CorruptFileError, RunFolderError
from veriloop.loop import run
from veriloop.loop.plan import Plan
from veriloop.report.answer import answer
from veriloop.report.models import export_model, to_ship
from veriloop.samples import Samples
from veriloop.store.folder import RunFolder
from veriloop.testing.language import save_tiny_language
from veriloop.verdicts import Decision, Verdicts
from veriloop.verifiers.base import Verifier

pytest.importorskip("transformers")

CHAT = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
QUESTIONS = [f"What is {i} + {i}?" for i in range(40)]


class Letters(Verifier, frozen=True):
    """Scores by the number of different characters; abstains on texts that begin with ``e``."""

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        texts = samples.texts("completion")
        abstains = [text[:1] == "e" for text in texts]
        score = [np.nan if no else float(len(set(text))) for text, no in zip(texts, abstains, strict=True)]
        return Verdicts(score, np.where(abstains, Decision.ABSTAIN, Decision.OPEN), texts)


def config(folder: Path, chat: bool, **changed: Any) -> dict[str, Any]:
    """Three candidates of each of 16 prompts; the best quarter of all is kept."""
    rows = [{"question": q, "tests": f"# {q}"} for q in QUESTIONS]
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    save_tiny_language(folder / "model", QUESTIONS)
    if chat:
        path = folder / "model" / "tokenizer_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": CHAT}))
    template = "{question}" if chat else "{question} Answer:"
    columns = {"prompt": "question", "keep": ["tests"]}
    return {
        "rounds": 1,
        "dataset": {
            "kind": "text", "files": str(folder / "questions.jsonl"), "columns": columns,
            "start": 0, "held_out": 24,
        },
        "learner": {
            "kind": "causal_lm", "model": str(folder / "model"), "epochs": 1,
            "prompt": {"template": template, "chat": chat, "max_tokens": 64},
            "decoding": {"max_new_tokens": 6, "temperature": 1.0},
        },
        "verifier": Letters(),
        "acceptance": {"kind": "top_fraction", "fraction": 0.25},
        "schedule": {"kind": "constant", "n": 12},
        "metrics": ["text_form"],
        "arms": ["verified", "unverified"],
        "chunk_size": 20,
        **changed,
    }  # fmt: skip


class Made:
    """A finished run, with its plan."""

    def __init__(self, folder: Path, chat: bool, **changed: Any) -> None:
        folder.mkdir()
        self.plan: Plan = plan_from(config(folder, chat, **changed))
        self.run: RunFolder = run(self.plan, folder / "run")

    def rows(self, path: Path, form: Form, **more: Any) -> list[dict[str, Any]]:
        export(self.run, 1, "verified", path, form, plan=lambda: self.plan, **more)
        return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("texts") / "of", chat=False)


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("chats") / "of", chat=True, keep_rejected=True, keep_candidates=True)


def test_a_pair_is_the_best_accepted_and_the_worst_rejected_of_a_prompt(texts: Made, tmp_path: Path) -> None:
    pairs = texts.rows(tmp_path / "pairs.jsonl", "preference")
    labelled = texts.rows(tmp_path / "labels.jsonl", "unpaired")
    assert pairs
    assert list(pairs[0])[:5] == [
        "prompt",
        "chosen",
        "rejected",
        "score_chosen",
        "score_rejected",
    ]
    for pair in pairs:
        of_prompt = [row for row in labelled if row["prompt"] == pair["prompt"]]
        good = {row["completion"]: row["score"] for row in of_prompt if row["label"]}
        bad = {row["completion"]: row["score"] for row in of_prompt if not row["label"]}
        assert good[pair["chosen"]] == pair["score_chosen"] == max(good.values())
        assert bad[pair["rejected"]] == pair["score_rejected"] == min(bad.values())
        assert pair["score_chosen"] >= pair["score_rejected"]
        assert pair["tests"] == f"# {pair['prompt'].removesuffix(' Answer:')}"
    judged_both_ways = {
        row["prompt"] for row in labelled if row["label"]
    } & {row["prompt"] for row in labelled if not row["label"]}  # fmt: skip
    assert {pair["prompt"] for pair in pairs} <= judged_both_ways


def test_labels_are_of_all_that_were_judged(texts: Made, tmp_path: Path) -> None:
    rows = texts.rows(tmp_path / "labels.jsonl", "unpaired")
    counts = next(r.counts for r in texts.run.records() if (r.arm, r.round) == ("verified", 1))
    assert counts.abstained > 0
    assert sum(row["label"] for row in rows) == counts.kept == 12
    assert len(rows) == counts.generated - counts.abstained


def test_rejected_ones_are_those_that_were_not_kept(texts: Made, chats: Made, tmp_path: Path) -> None:
    for made in (texts, chats):  # made again, and stored
        kept = made.rows(tmp_path / "kept.jsonl", "messages")
        rejected = made.rows(tmp_path / "rejected.jsonl", "messages", rejected=True)
        places = [(row["chunk"], row["row"]) for row in kept + rejected]
        counts = next(r.counts for r in made.run.records() if (r.arm, r.round) == ("verified", 1))
        assert len(set(places)) == len(places) == counts.generated
        # A reason is one line.
        assert all(row["reason"].split() == row["messages"][-1]["content"].split() for row in rejected)


def test_stored_candidates_give_what_made_again_ones_give(chats: Made, tmp_path: Path) -> None:
    stored = chats.rows(tmp_path / "a.jsonl", "unpaired")
    again = Made(tmp_path / "again", chat=True)
    assert again.rows(tmp_path / "b.jsonl", "unpaired") == stored


@pytest.mark.parametrize("form", FORMS)
def test_both_kinds_of_file_hold_the_same_for_datasets(
    form: Form, texts: Made, chats: Made, tmp_path: Path
) -> None:
    datasets = pytest.importorskip("datasets")
    for name, made in (("texts", texts), ("chats", chats)):
        lines = made.rows(tmp_path / f"{name}.jsonl", form)
        export(made.run, 1, "verified", tmp_path / f"{name}.parquet", form, plan=lambda made=made: made.plan)
        for kind, suffix in (("json", "jsonl"), ("parquet", "parquet")):
            loaded = datasets.load_dataset(
                kind,
                data_files=str(tmp_path / f"{name}.{suffix}"),
                split="train",
                cache_dir=str(tmp_path / "cache"),
            )
            assert loaded.to_list() == lines


def test_what_was_exported_is_data_for_another_run(texts: Made, tmp_path: Path) -> None:
    rows = texts.rows(tmp_path / "kept.jsonl", "prompt-completion")
    kept = texts.run.kept(1, "verified")
    joined = [row["prompt"] + row["completion"] for row in rows]
    assert joined == [
        f"{q} Answer: {c}" if c else f"{q} Answer:"
        for q, c in zip(kept.texts("question"), kept.texts("completion"), strict=True)
    ]


def trained(made: Made, folder: Path) -> Iterator[str]:
    """Each shape goes through the trainer that it is for, whose own checks look at the data set."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer
    from trl.trainer.kto_config import KTOConfig
    from trl.trainer.kto_trainer import KTOTrainer
    from trl.trainer.reward_config import RewardConfig
    from trl.trainer.reward_trainer import RewardTrainer
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    from datasets import load_dataset

    model = str(made.run.model(1, "verified"))
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.pad_token = tokenizer.eos_token
    usual: dict[str, Any] = {
        "output_dir": str(folder / "out"), "max_steps": 1, "per_device_train_batch_size": 2,
        "report_to": "none", "use_cpu": True, "bf16": False, "gradient_checkpointing": False,
        "save_strategy": "no", "disable_tqdm": True,
    }  # fmt: skip
    scored = AutoModelForSequenceClassification.from_pretrained(model, num_labels=1)
    scored.config.pad_token_id = tokenizer.pad_token_id
    trainers: list[tuple[Form, Callable[..., Any], Any, Any]] = [
        ("messages", SFTTrainer, SFTConfig, model),
        ("prompt-completion", SFTTrainer, SFTConfig, model),
        ("preference", DPOTrainer, DPOConfig, model),
        ("unpaired", KTOTrainer, KTOConfig, model),
        ("preference", RewardTrainer, RewardConfig, scored),
    ]
    for form, trainer, settings, learns in trainers:
        if form == "messages" and not tokenizer.chat_template:
            continue  # a model without a chat template takes no messages from anybody
        path = folder / f"{form}.jsonl"
        made.rows(path, form)
        data = load_dataset("json", data_files=str(path), split="train", cache_dir=str(folder / "cache"))
        done = trainer(
            model=learns, args=settings(**usual), train_dataset=data, processing_class=tokenizer
        ).train()
        assert done.global_step == 1
        assert np.isfinite(done.training_loss)
        yield f"{trainer.__name__} {form}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_trl_trains_on_every_shape(texts: Made, chats: Made, tmp_path: Path) -> None:
    pytest.importorskip("trl")
    for made, name in ((texts, "texts"), (chats, "chats")):
        (folder := tmp_path / name).mkdir()
        assert len(list(trained(made, folder))) == (4 if made is texts else 5)


def test_one_candidate_of_each_prompt_makes_no_pair(tmp_path: Path) -> None:
    made = Made(tmp_path / "few", chat=False, schedule={"kind": "constant", "n": 3})
    with pytest.raises(ConfigError, match=r"no prompt has a pair.*samples_per_prompt"):
        made.rows(tmp_path / "pairs.jsonl", "preference")
    assert not list(tmp_path.glob("pairs*"))


@pytest.mark.parametrize(
    ("arm", "form", "rejected", "said"),
    [
        ("verified", "preference", True, "Remove --rejected"),
        ("verified", "unpaired", True, "Remove --rejected"),
        ("unverified", "preference", False, "has no verifier"),
        ("unverified", "columns", True, "has no verifier"),
        ("nobody", "columns", True, "no finished round of arm 'nobody'"),
    ],
)
def test_what_has_no_such_candidates(
    texts: Made, tmp_path: Path, arm: str, form: Form, rejected: bool, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        export(texts.run, 1, arm, tmp_path / "x.jsonl", form, rejected=rejected, plan=lambda: texts.plan)
    assert not list(tmp_path.iterdir())


def test_the_model_of_a_round_loads_in_one_line(texts: Made, tmp_path: Path) -> None:
    from huggingface_hub import ModelCard
    from torch import equal
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with pytest.raises(ConfigError, match="round 1 of arm 'verified' has no adapter: got 'a whole model'"):
        export_model(texts.run, tmp_path / "adapter", round_=1, adapter=True)
    done = export_model(texts.run, tmp_path / "out" / "model", round_=1)
    assert (done.arm, done.round) == ("verified", 1)
    model = AutoModelForCausalLM.from_pretrained(done.path)
    ours = texts.plan.learner.generator_type.load(texts.run.model(1, "verified"))
    assert all(map(equal, model.state_dict().values(), ours.language.model.state_dict().values()))  # pyright: ignore[reportAttributeAccessIssue]
    assert AutoTokenizer.from_pretrained(done.path).eos_token == "<|end|>"
    card = ModelCard.load(done.path / "README.md")
    front = card.data.to_dict()
    assert front["library_name"] == "transformers"
    assert "base_model" not in front, "a folder is no name on the hub"
    counts = next(r.counts for r in texts.run.records() if (r.arm, r.round) == ("verified", 1))
    expected = (
        "base model: model",
        "- seed: 0",
        "`unverified` (no verifier, 1 round)",
        f"{counts.generated} candidates, 12 accepted",
        "unverified, round 1",
        "veriloop: 0.",
    )
    for said in expected:
        assert said in card.text, said
    assert str(tmp_path) not in card.content
    assert str(texts.run.path.parent) not in card.content


def test_a_data_card_says_what_the_rows_are(texts: Made, tmp_path: Path) -> None:
    from huggingface_hub import DatasetCard

    rows = texts.rows(tmp_path / "pairs.jsonl", "preference")
    card = DatasetCard.load(tmp_path / "pairs.card.md")
    [config] = card.data.to_dict()["configs"]
    assert config["data_files"] == "pairs.jsonl"
    assert f"{len(rows)} rows" in card.text
    assert "Pairs of a prompt's best accepted and worst rejected candidate" in card.text
    assert all(f"- `{name}`: " in card.text for name in rows[0])


def test_without_a_round_it_is_the_round_to_ship(image_run: RunFolder) -> None:
    shipped = answer(image_run).ship
    assert shipped is not None
    assert shipped.round > 0
    assert to_ship(image_run) == (shipped.round, "verified")
    assert to_ship(image_run, round_=2) == (2, "verified")
    with pytest.raises(ConfigError, match="Choose one with --round"):
        to_ship(image_run, "unverified")


@pytest.mark.parametrize(
    ("arm", "round_", "said"),
    [
        ("nobody", None, "expected one of verified, unverified, all_real"),
        ("verified", 99, "no such finished round"),
        ("all_real", 2, "expected one of 0, 1"),
    ],
)
def test_rounds_that_are_not_there(image_run: RunFolder, arm: str, round_: int | None, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        to_ship(image_run, arm, round_)


def test_a_model_goes_into_a_new_folder_only_and_whole(texts: Made, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    (tmp_path / "empty").mkdir()
    for name in ("mine", "mine/file", "link"):
        with pytest.raises(ConfigError, match="expected a new or an empty folder"):
            export_model(texts.run, tmp_path / name, round_=1)
    copy = shutil.copytree(texts.run.path, tmp_path / "run")
    weights = copy / "round_1" / "verified" / "generator" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(CorruptFileError):
        export_model(RunFolder(copy), tmp_path / "empty", round_=1)
    assert not list((tmp_path / "empty").iterdir())
    export_model(texts.run, tmp_path / "empty", round_=0)
    assert "This is the start model" in (tmp_path / "empty" / "README.md").read_text()


def test_candidates_of_models_that_are_gone(tmp_path: Path) -> None:
    made = Made(tmp_path / "last", chat=False, rounds=2, keep_models="last")
    with pytest.raises(RunFolderError, match="keep_models"):
        export(made.run, 2, "verified", tmp_path / "x.jsonl", "preference", plan=lambda: made.plan)
    with pytest.raises(RunFolderError, match="keep_models: all"):
        export_model(made.run, tmp_path / "model", round_=1)
