"""A tiny language model, and animals that say their names: pairs that it can learn."""

from pathlib import Path

import numpy as np
import pytest

from veriloop.samples import Samples

ANIMALS = ("cat", "cow", "dog", "duck", "frog", "goose", "hen", "horse", "owl", "pig", "sheep", "wolf")


@pytest.fixture(scope="session")
def animals() -> Samples:
    """48 pairs: the summary is the animal that the document's first words name."""
    names = [ANIMALS[i % len(ANIMALS)] for i in range(48)]
    return Samples(
        id=np.arange(48),
        document=[f"A {name} walks by. " + "It is late. " * (i % 5) for i, name in enumerate(names)],
        summary=[f"the {name}" for name in names],
        reference=[f"the {name}" for name in names],
    )


@pytest.fixture(scope="session")
def tiny_language(tmp_path_factory: pytest.TempPathFactory, animals: Samples) -> Path:
    """A model folder."""
    pytest.importorskip("transformers")
    from veriloop.testing.language import save_tiny_language

    folder = tmp_path_factory.mktemp("tiny-language")
    save_tiny_language(folder, [*animals["document"], *animals["summary"]])
    return folder
