"""Language models that are broken, keep nothing or fill the disk: one line, exit code 2, nothing lost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from veriloop.store.folder import RunFolder

from .conftest import FULL, assert_refused

END = "<|end|>"


@pytest.fixture
def language(tmp_path, config, monkeypatch):
    """Writes a configuration that trains a tiny language model on questions, with changes to it."""
    pytest.importorskip("transformers")
    from veriloop.testing.language import save_tiny_language

    rows = [{"document": f"What is {a} plus {a}?", "summary": str(2 * a)} for a in range(30)]
    (tmp_path / "pairs.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "no_checks.py").write_text(
        "def never(row):\n    return False\ndef fails(row):\n    return row['answer']"
    )
    monkeypatch.chdir(tmp_path)  # where the checks can be imported from
    save_tiny_language(tmp_path / "model", [row["document"] for row in rows])

    def write(learner: dict, **changes) -> Path:
        learner = {
            "kind": "causal_lm",
            "model": str(tmp_path / "model"),
            "prompt": {"max_tokens": 40},
            "decoding": {"max_new_tokens": 4},
            **learner,
        }
        settings = {
            "rounds": 1,
            "dataset": {"kind": "text", "files": str(tmp_path / "pairs.jsonl")},
            "verifier": {"kind": "function", "function": "no_checks:never"},
            "acceptance": {"kind": "threshold"},
            "balance": "ABSENT",
            "metrics": ["text_form"],
            "arms": ["verified"],
            "max_candidates": 40,
        }
        return config(**{**settings, **changes}, learner=learner)

    return write


def _tokenizer_without(name: str):
    def change(model: Path) -> None:
        path = model / "tokenizer_config.json"
        path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != name}))

    return change


def _weights(content: bytes, name: str = "model.safetensors"):
    def change(model: Path) -> None:
        (model / "model.safetensors").unlink()
        (model / name).write_bytes(content)

    return change


MODELS = {
    "no chat template": (None, {"prompt": {"chat": True}}, "no chat template", "chat: false"),
    "no end of text": (_tokenizer_without("eos_token"), {}, "no end-of-text token", "Set eos_token"),
    "weights cut short": (_weights(b"\x08"), {}, "cannot be loaded", "model.safetensors"),
    "weights of another kind": (_weights(b"none", "pytorch_model.bin"), {}, "no weights as safetensors"),
    "no tokenizer": (lambda model: (model / "tokenizer.json").unlink(), {}, "tokenizer.json"),
    "not a model": (lambda model: (model / "config.json").write_text("{}"), {}, "cannot be loaded"),
    "an empty folder": (lambda model: (model / "config.json").unlink(), {}, "no file", "config.json"),
    "no folder": (None, {"model": "./nowhere"}, "no model in './nowhere'", "expected a folder with"),
    "too long a template": (
        None,
        {"prompt": {"max_tokens": 3, "template": "What is it, then? {document}"}},
        "too long even without its 'document'",
    ),
    "no such column": (None, {"prompt": {"completion": "reply"}}, "'reply'", "document (prompt), summary"),
    "no hub": (
        None,
        {"model": "somebody/a-model"},
        "model 'somebody/a-model' is neither here nor available",
        "run: hf download somebody/a-model --local-dir DIR; then set model to DIR",
    ),
}


@pytest.mark.parametrize("case", MODELS)
def test_language_models(case, veriloop, language, tmp_path, monkeypatch):
    change, learner, *fragments = MODELS[case]
    path = language(learner)
    if change:
        change(tmp_path / "model")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.delenv("VERILOOP_DATA", raising=False)
    assert_refused(veriloop("run", path, "--out", tmp_path / "run", "--plain"), *fragments)
    assert not (tmp_path / "run" / "records.jsonl").exists()


UNKEPT = {
    "all rejected": ("never", "0 accepted, 40 rejected, 0 abstained, 0 kept", "In a new --out, raise max_"),
    "all fail": ("fails", "40 abstained (most often: KeyError: 'answer'), 0 kept", "fix the verifier"),
}


@pytest.mark.parametrize("case", UNKEPT)
def test_nothing_to_train_on(case, veriloop, language, tmp_path):
    function, *fragments = UNKEPT[case]
    verifier = {"kind": "function", "function": f"no_checks:{function}"}
    path = language({}, verifier=verifier, on_exhausted="train_with_fewer")
    assert_refused(veriloop("run", path, "--out", "run", "--plain"), *fragments)
    assert [r.round for r in RunFolder(tmp_path / "run").records()] == [0], "the start model is not lost"


def test_a_tokenizer_without_a_pad_token_is_no_mistake(veriloop, language, tmp_path):
    assert "pad_token" not in (tmp_path / "model" / "tokenizer_config.json").read_text()
    path = language({}, verifier="reference", acceptance={"kind": "top_fraction", "fraction": 0.75})
    code, _, err = veriloop("run", path, "--out", tmp_path / "run", "--plain")
    assert code == 0, err


def test_a_disk_that_fills_while_a_language_model_is_saved(veriloop, language, tmp_path):
    settings = {"verifier": "reference", "acceptance": {"kind": "top_fraction", "fraction": 0.75}}
    out = tmp_path / "run"
    arguments = ["run", str(language({}, **settings)), "--out", str(out), "--plain"]
    done = subprocess.run([sys.executable, "-c", FULL, "50000", *arguments], capture_output=True, text=True)
    assert_refused((done.returncode, done.stdout, done.stderr), "cannot write", "File too large")
    assert RunFolder(out).records() == []
    assert veriloop(*arguments)[0] == 0
    assert len(RunFolder(out).records()) == 2
