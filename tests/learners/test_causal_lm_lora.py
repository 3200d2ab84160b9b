"""Low-rank adapters: what they change, what a round stores of them, and what it needs to be read again."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from veriloop.config import plan_from
from veriloop.errors import CorruptFileError, DataError
from veriloop.events import Event, RoundFinished
from veriloop.learners._language import models
from veriloop.learners._language.generator import CausalLMGenerator
from veriloop.learners.causal_lm import CausalLM
from veriloop.loop import run
from veriloop.report.models import export_model
from veriloop.samples import Samples
from veriloop.store.folder import RunFolder
from veriloop.testing import check_learner

pytest.importorskip("peft")

PROMPT: dict[str, Any] = {
    "template": "Article: {document} Summary:",
    "completion": "summary",
    "max_tokens": 40,
}
STORED = {"adapter_config.json", "adapter_model.safetensors", "causal_lm.json"}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def settings(model: Path) -> dict[str, Any]:
    return {
        "kind": "causal_lm",
        "model": str(model),
        "prompt": PROMPT,
        "decoding": {"max_new_tokens": 8, "temperature": 1.0},
        "batch_size": 12,
        "learning_rate": 1e-2,
        "lora": {"rank": 4},
    }


@pytest.fixture(scope="module")
def learner(tiny_language: Path) -> CausalLM:
    return CausalLM.model_validate(settings(tiny_language))


@pytest.fixture(scope="module")
def adapted(learner: CausalLM, animals: Samples) -> CausalLMGenerator:
    return learner.fit(animals, None, rng())


def weights(generator: CausalLMGenerator) -> NDArray[np.float32]:
    return torch.cat([p.detach().flatten() for p in generator.language.model.parameters()]).numpy()


def saved(generator: CausalLMGenerator, folder: Path) -> Path:
    folder.mkdir()
    generator.save(folder)
    return folder


def test_keeps_the_contract(learner: CausalLM, animals: Samples) -> None:
    check_learner(learner, animals, animals.only(["id", "document", "reference"]))


def test_linear_layers_change_by_the_rank_and_nothing_else_does(
    learner: CausalLM, adapted: CausalLMGenerator, animals: Samples
) -> None:
    start, model = models.find(learner.model).model, adapted.language.model
    assert np.array_equal(weights(adapted), weights(learner.fit(animals, None, rng())))
    assert dict(model.named_parameters()).keys() == dict(start.named_parameters()).keys()
    for name, before in start.named_parameters():
        change = model.get_parameter(name).double() - before.double()
        if name.endswith("_proj.weight"):
            assert 0 < torch.linalg.matrix_rank(change, rtol=1e-4) <= 4
        else:
            assert not change.any(), f"{name} is no linear layer of the blocks"


def test_the_adapter_alone_is_stored_and_gives_the_same_bits(
    learner: CausalLM, adapted: CausalLMGenerator, animals: Samples, tmp_path: Path
) -> None:
    folder = saved(adapted, tmp_path / "one")
    assert {path.name for path in folder.iterdir()} == STORED
    loaded = CausalLMGenerator.load(folder)
    assert np.array_equal(weights(loaded), weights(adapted))
    assert loaded.sample(12, rng(), animals.select(slice(12))).same_as(
        adapted.sample(12, rng(), animals.select(slice(12)))
    )
    on, on_loaded = (learner.fit(animals, start, rng(1)) for start in (adapted, loaded))
    assert np.array_equal(weights(on), weights(on_loaded))
    assert on.loss(animals)[0].sum() < adapted.loss(animals)[0].sum() < 1e9
    change = weights(on) - weights(learner.fit(animals.select(slice(0)), None, rng()))
    assert change.any()
    assert {path.name for path in saved(on, tmp_path / "two").iterdir()} == STORED


def test_peft_and_transformers_load_what_is_stored(adapted: CausalLMGenerator, tmp_path: Path) -> None:
    from peft import AutoPeftModelForCausalLM

    folder = saved(adapted, tmp_path / "adapter")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries about each other
        theirs: Any = AutoPeftModelForCausalLM.from_pretrained(str(folder))
        merged = theirs.merge_and_unload()
    for name, parameter in adapted.language.model.named_parameters():
        assert torch.allclose(merged.get_parameter(name), parameter, atol=1e-6)


def test_without_rows_the_adapter_changes_nothing_and_is_stored_all_the_same(
    learner: CausalLM, animals: Samples, tmp_path: Path
) -> None:
    start = learner.fit(animals.select(slice(0)), None, rng())
    plain = CausalLMGenerator(models.find(learner.model), learner.prompt, learner.decoding)
    assert np.array_equal(weights(start), weights(plain))
    assert {path.name for path in saved(start, tmp_path / "start").iterdir()} == STORED


def test_a_model_that_no_name_stands_for_is_stored_whole(
    learner: CausalLM, adapted: CausalLMGenerator, animals: Samples, tmp_path: Path
) -> None:
    for start in (adapted.whole(), learner.model_copy(update={"lora": None}).fit(animals, None, rng())):
        on = learner.fit(animals, start, rng())
        folder = saved(on, tmp_path / str(id(start)))
        assert "model.safetensors" in {path.name for path in folder.iterdir()}
        assert np.array_equal(weights(CausalLMGenerator.load(folder)), weights(on))


def test_an_adapter_is_read_with_the_model_that_it_was_trained_on_and_no_other(
    tiny_language: Path, animals: Samples, tmp_path: Path
) -> None:
    base = Path(shutil.copytree(tiny_language, tmp_path / "base"))
    own = CausalLM.model_validate(settings(base))
    folder = saved(own.fit(animals, None, rng()), tmp_path / "adapter")
    language = models.find(str(base))
    next(language.model.parameters()).data[0, 0] += 1
    models.save(language, base)
    with pytest.raises(CorruptFileError, match=r"is for other weights than .*base has now: got 'digest"):
        CausalLMGenerator.load(folder)
    shutil.rmtree(base)
    with pytest.raises(DataError, match=r"the model that the adapter in .* is for cannot be loaded") as error:
        CausalLMGenerator.load(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("what", ["cut", "gone", "another"])
def test_a_damaged_adapter_is_one_line(adapted: CausalLMGenerator, tmp_path: Path, what: str) -> None:
    folder = saved(adapted, tmp_path / "adapter")
    weights_file, settings_file = folder / "adapter_model.safetensors", folder / "causal_lm.json"
    if what == "cut":
        weights_file.write_bytes(weights_file.read_bytes()[:100])
    elif what == "gone":
        weights_file.unlink()
    else:
        content = json.loads(settings_file.read_text())
        content["adapter"]["lora"]["rank"] = 5
        settings_file.write_text(json.dumps(content))
    with pytest.raises(CorruptFileError, match=r"adapter .* (cannot be read|does not fit)") as error:
        CausalLMGenerator.load(folder)
    assert "\n" not in str(error.value)


def test_a_resumed_run_has_equal_adapters_and_exports_a_model_or_an_adapter(
    tiny_language: Path, animals: Samples, tmp_path: Path
) -> None:
    pairs = zip(animals.texts("document"), animals.texts("summary"), strict=True)
    lines = [json.dumps({"document": document, "summary": summary}) for document, summary in pairs]
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    plan = plan_from(
        {
            "rounds": 2,
            "dataset": {"kind": "text", "files": str(tmp_path / "pairs.jsonl"), "start": 12},
            "learner": {**settings(tiny_language), "prompt": {"max_tokens": 40}},
            "schedule": {"kind": "constant", "n": 8},
            "warm_start": True,
            "arms": ["unverified"],
            "metrics": ["text_form"],
        }
    )

    def interrupt(event: Event) -> None:
        if isinstance(event, RoundFinished) and event.round == 1:
            raise KeyboardInterrupt

    whole = run(plan, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(plan, tmp_path / "broken", listen=interrupt)
    broken = run(plan, tmp_path / "broken", resume="always")
    stored = [folder.model(2, "unverified") for folder in (whole, broken)]
    for name in STORED:
        assert (stored[0] / name).read_bytes() == (stored[1] / name).read_bytes()
    assert not list((tmp_path / "whole").rglob("model.safetensors"))

    export_model(RunFolder.open(tmp_path / "whole"), tmp_path / "model", "unverified", 2)
    exported = models.load(tmp_path / "model").model
    trained = CausalLMGenerator.load(stored[0])
    assert all(
        torch.equal(a, b)
        for a, b in zip(exported.parameters(), trained.language.model.parameters(), strict=True)
    )
    export_model(RunFolder.open(tmp_path / "whole"), tmp_path / "adapter", "unverified", 2, adapter=True)
    assert {path.name for path in (tmp_path / "adapter").iterdir()} > STORED
    card = (tmp_path / "adapter" / "README.md").read_text()
    assert "AutoPeftModelForCausalLM" in card
    assert "library_name: peft" in card
