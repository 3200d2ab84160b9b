"""Pictures that other programs hand over: map-style data sets, and images of the library ``datasets``."""

import sys
from pathlib import Path

import numpy as np
import pytest

from veriloop.config import plan_from, plan_of
from veriloop.datasets.program_images import HuggingFaceImages, TorchImages
from veriloop.errors import ConfigError, DataError, RunFolderError
from veriloop.loop import run
from veriloop.schema import Image, Label
from veriloop.testing import check_dataset

MODULE = """
import numpy as np

class Items:
    def __init__(self, items): self.items = items
    def __len__(self): return len(self.items)
    def __getitem__(self, i): return self.items[i]

_rng = np.random.default_rng(0)
plain = Items([(_rng.integers(0, 256, (7, 5, 3), np.uint8), i % 3) for i in range(30)])

def tensors():
    import torch
    from torch.utils.data import TensorDataset
    generator = torch.Generator().manual_seed(0)
    return TensorDataset(torch.rand(30, 1, 8, 6, generator=generator), torch.arange(30) % 2)

def test(): return Items(plain.items[:6])
normalised = Items([(_rng.normal(size=(8, 8)), 0)] * 5)
unlabelled = Items([_rng.integers(0, 256, (8, 8), np.uint8)] * 5)
words = Items([(np.zeros((8, 8), np.uint8), "cat")] * 5)
number = 7
def broken(): raise RuntimeError("no disk")
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some_pictures.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "some_pictures", raising=False)


def test_an_object_or_a_function_is_a_data_set() -> None:
    plain = TorchImages(function="some_pictures:plain")
    check_dataset(plain)
    assert plain.schema()["pixels"] == Image(height=7, width=5, channels=3, levels=255)
    assert plain.schema()["label"] == Label(classes=3)
    assert [path.name for path in plain.sources().values()] == ["some_pictures.py"]
    pytest.importorskip("torch")
    tensors = TorchImages(function="some_pictures:tensors")
    check_dataset(tensors)
    assert tensors.schema()["pixels"] == Image(height=8, width=6, levels=255)


def test_a_test_set_of_ones_own_is_held_out() -> None:
    data = TorchImages(function="some_pictures:plain", test_function="some_pictures:test").load(0)
    assert data.duplicates == {"train": 6}
    assert len(data.train) == 24


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("normalised", DataError, r"picture 0 of .*remove transforms that normalise"),
        ("unlabelled", DataError, "a pair of a picture and its class"),
        ("words", DataError, "class of item 0 .*: got \"'cat'\", expected a whole number from 0"),
        ("number", ConfigError, r"an object with len\(\) and items"),
        ("broken", ConfigError, "RuntimeError: no disk"),
        ("gone", ConfigError, "AttributeError"),
    ],
)
def test_what_is_no_data_set_of_pictures_is_one_line(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"(?i){message}"):
        TorchImages(function=f"some_pictures:{name}").schema()


def test_a_run_that_names_such_code_wants_trust(tmp_path: Path) -> None:
    plan = plan_from(
        {
            "dataset": {
                "kind": "torch",
                "function": "some_pictures:plain",
                "test_function": "some_pictures:test",
                "start": 6,
            },
            "learner": {"kind": "cvae", "latent_dim": 2, "channels": [2, 2], "epochs": 1},
            "schedule": {"kind": "constant", "n": 3},
            "rounds": 1,
            "arms": ["unverified"],
        }
    )
    folder = run(plan, tmp_path / "run")
    with pytest.raises(RunFolderError, match=r"some_pictures:plain, some_pictures:test.*--trust"):
        plan_of(folder, trust=False)


def test_a_saved_data_set_of_images_is_read_with_its_splits(tmp_path: Path) -> None:
    library = pytest.importorskip("datasets")
    library.disable_progress_bars()
    rng = np.random.default_rng(0)

    def split(n: int) -> object:
        pictures = [rng.integers(0, 256, (9, 7, 3), np.uint8) for _ in range(n)]
        features = library.Features({"img": library.Image(), "y": library.ClassLabel(num_classes=3)})
        columns = {"img": pictures, "y": [i % 3 for i in range(n)]}
        return library.Dataset.from_dict(columns, features=features)

    library.DatasetDict(train=split(30), test=split(12)).save_to_disk(tmp_path / "saved")
    dataset = HuggingFaceImages(name=str(tmp_path / "saved"))
    check_dataset(dataset)
    data = dataset.load(0)
    assert data.validation is not None
    assert (len(data.train), len(data.validation), len(data.test)) == (30, 6, 6)
    with pytest.raises(DataError, match="has no split 'dev'"):
        HuggingFaceImages(name=str(tmp_path / "saved"), test_split="dev").schema()
    with pytest.raises(ConfigError, match="label: got 'z', expected one of img, y"):
        HuggingFaceImages(name=str(tmp_path / "saved"), label="z").schema()
