import importlib.util
import math
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from veriloop.errors import ConfigError, DataError, MissingExtraError
from veriloop.metrics import fid
from veriloop.metrics.base import Evaluation
from veriloop.metrics.fid import InceptionFID, load_inception
from veriloop.metrics.frechet import frechet_distance
from veriloop.schema import Image, Label, Schema


@pytest.fixture(autouse=True)
def _forget() -> None:
    load_inception.cache_clear()
    fid._inception_or_error.cache_clear()


def test_without_torch_fidelity_the_error_names_the_extra(
    like_real: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> SimpleNamespace:
        if name == "torch_fidelity":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return SimpleNamespace()

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MissingExtraError, match=r"torch_fidelity.*veriloop\[inception\]"):
        InceptionFID().measure(like_real, np.random.default_rng(0))


def test_without_weights_the_error_says_what_to_set(
    like_real: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_download(**options: object) -> None:
        raise OSError("no route to host")

    library = SimpleNamespace(FrechetInceptionDistance=no_download)
    monkeypatch.setattr(importlib, "import_module", lambda name: library)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    with pytest.raises(DataError, match=r"no route to host.*Set weights to the path") as caught:
        InceptionFID(weights=Path("gone.pth")).measure(like_real, np.random.default_rng(0))
    assert "\n" not in str(caught.value)


def test_is_the_distance_in_the_features_of_the_network(
    like_real: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []

    def inception(x: torch.Tensor) -> torch.Tensor:
        assert x.dtype == torch.uint8
        assert x.shape == (fid.BATCH, 3, 8, 8)
        seen.append(x)
        return x[:, 0, 2:5, 2:5].flatten(1).float()

    monkeypatch.setattr(fid, "load_inception", lambda weights: inception)
    found = InceptionFID().measure(like_real, np.random.default_rng(0))["fid"]
    made, real = (
        np.round(s.array("pixels")[:, 2:5, 2:5].reshape(-1, 9) * (255 / 16)).astype(np.uint8)
        for s in (like_real.generated, like_real.real)
    )
    label = like_real.generated.array("label")
    assert found == frechet_distance(real.astype(float), made.astype(float), label)
    assert max(int(x.max()) for x in seen) == 255
    assert math.isfinite(found.se)


def test_what_it_cannot_take_is_refused_ahead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    image, label = Image(height=8, width=8, levels=16), Label(classes=10)
    data = Schema({"drawn": image, "digit": label})
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    suited = InceptionFID().suited_to(data)
    suited.check_ahead(data)
    assert "91 MB" in (suited.downloads() or "")
    weights = tmp_path / "hub" / "checkpoints" / fid.WEIGHTS
    weights.parent.mkdir(parents=True)
    weights.touch()
    assert suited.downloads() is None
    with pytest.raises(DataError, match=r"no Inception weights: got 'weights=gone\.pth'"):
        InceptionFID(weights=Path("gone.pth")).check_ahead(data)
    with pytest.raises(ConfigError, match="metric 'fid' needs grey images: got '3 channels'"):
        InceptionFID().check_ahead(
            Schema({"drawn": image.model_copy(update={"channels": 3}), "digit": label})
        )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"torch_fidelity.*veriloop\[inception\]"):
        suited.check_ahead(data)


def test_skip_says_so_ahead_and_leaves_the_number_out(
    like_real: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    def no_download(**options: object) -> None:
        nonlocal tries
        tries += 1
        raise OSError("no route to host")

    monkeypatch.setattr(
        importlib, "import_module", lambda name: SimpleNamespace(FrechetInceptionDistance=no_download)
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    data = Schema({"pixels": Image(height=8, width=8, levels=16), "label": Label(classes=10)})
    skipping = InceptionFID(missing="skip").suited_to(data)
    (line,) = skipping.check_ahead(data)
    assert re.fullmatch(r"fid is left out: no Inception weights .*no route to host.*Set weights to .*", line)
    skipping.check_data(like_real.real)
    for _ in range(3):
        assert math.isnan(skipping.measure(like_real, np.random.default_rng(0))["fid"].value)
    assert tries == 1  # a firewall may hold up each try for minutes


def test_a_download_that_fails_ends_the_run_before_it_trains(
    like_real: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_download(weights: object) -> None:
        raise DataError("no Inception weights")

    monkeypatch.setattr(fid, "load_inception", no_download)
    with pytest.raises(DataError, match="no Inception weights"):
        InceptionFID().check_data(like_real.real)
