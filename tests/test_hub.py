"""What the hub's libraries have in their cache, and what may be fetched."""

import json
from pathlib import Path

import pytest

from veriloop.datasets.idx import MNIST, FashionMNIST
from veriloop.datasets.xsum import XSum
from veriloop.errors import DataError
from veriloop.hub import to_fetch
from veriloop.parts import Part
from veriloop.schema import Schema


@pytest.fixture(autouse=True)
def _nothing_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_CACHE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("VERILOOP_DATA", str(tmp_path / "data"))


def test_what_is_not_here_is_fetched() -> None:
    assert to_fetch("dataset", "ylecun/mnist") == "dataset ylecun/mnist from the Hugging Face hub"
    assert to_fetch("model", "org/name") == "model org/name from the Hugging Face hub"


@pytest.mark.parametrize(
    ("kind", "variable", "refused"),
    [
        ("dataset", "HF_HUB_OFFLINE", True),
        ("dataset", "HF_DATASETS_OFFLINE", True),
        ("dataset", "TRANSFORMERS_OFFLINE", False),
        ("model", "HF_HUB_OFFLINE", True),
        ("model", "TRANSFORMERS_OFFLINE", True),
        ("model", "HF_DATASETS_OFFLINE", False),
    ],
)
def test_each_library_has_its_variables(
    kind: str, variable: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "0")
    assert to_fetch(kind, "org/name")  # pyright: ignore[reportArgumentType]
    monkeypatch.setenv(variable, "1")
    if not refused:
        assert to_fetch(kind, "org/name")  # pyright: ignore[reportArgumentType]
        return
    with pytest.raises(DataError, match=rf"{kind} 'org/name' is not on this machine.*got '{variable}=1'"):
        to_fetch(kind, "org/name")  # pyright: ignore[reportArgumentType]


def test_a_cached_data_set_is_found_as_the_library_finds_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The library itself lays out the cache, of a local folder; only the name is given to it here."""
    import datasets
    from datasets import Dataset

    cache = tmp_path / "hf" / "datasets"
    (tmp_path / "org" / "name").mkdir(parents=True)
    Dataset.from_dict({"text": ["a"]}).to_json(tmp_path / "org" / "name" / "train.jsonl")
    monkeypatch.chdir(tmp_path)
    datasets.load_dataset("org/name", cache_dir=str(cache))
    made = next(path for path in cache.iterdir() if path.is_dir())
    made.rename(cache / "org___name")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert to_fetch("dataset", "org/name") is None


def test_a_cached_model_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    snapshot = tmp_path / "hf" / "hub" / "models--org--name" / "snapshots" / "0a1b"
    snapshot.mkdir(parents=True)
    assert to_fetch("model", "org/name") is not None, "a download that was broken off"
    (snapshot / "config.json").write_text("{}")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert to_fetch("model", "org/name") is None


@pytest.mark.parametrize("dataset", [MNIST(), FashionMNIST(), XSum()], ids=lambda dataset: dataset.kind)
def test_a_missing_folder_is_fetched_or_refused_ahead(
    dataset: Part, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dataset.check_ahead(Schema({}))
    assert "from the Hugging Face hub" in (dataset.downloads() or "")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    with pytest.raises(
        DataError, match=rf"must not be downloaded.*ooked in {tmp_path}/data/{dataset.kind} first"
    ):
        dataset.check_ahead(Schema({}))


def test_validate_says_what_a_run_will_download(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from veriloop.cli.main import app

    config = tmp_path / "plan.yaml"
    config.write_text(
        "dataset: mnist\nlearner: cvae\nschedule: {kind: constant, n: 10}\narms: [unverified]\n"
    )
    app(["validate", str(config)], standalone_mode=False)
    assert "a run will download: dataset ylecun/mnist from the Hugging Face hub\n" in capsys.readouterr().out
    app(["validate", str(config), "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["downloads"] == [
        "dataset ylecun/mnist from the Hugging Face hub"
    ]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError, match=r"^dataset: dataset 'ylecun/mnist' is not on this machine"):
        app(["validate", str(config)], standalone_mode=False)
