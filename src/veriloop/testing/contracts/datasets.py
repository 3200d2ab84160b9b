"""The contract suite of data sets."""

from collections.abc import Mapping

from ...datasets.base import Dataset, RealData, misfit
from ...samples import Samples
from ...schema import Schema
from ._common import contents, same_types, suite, unchanged
from .parts import check_part

SPLITS = ("start", "train", "validation", "test")
POOLS = ("conditions", "test_conditions", "validation_conditions")


@suite
def check_dataset(dataset: Dataset) -> None:
    """Check that splits depend only on the seed, have equal columns, match the schema and share no sample.

    Samples are compared by content: by prompt if the data have prompts, else by image, else by all columns
    except ids and extras.
    """
    check_part(dataset)
    with unchanged("load", dataset):
        data, other, again = dataset.load(1), dataset.load(2), dataset.load(1)
    assert isinstance(data, RealData), f"load gave {type(data).__name__}, expected RealData"
    for name in (*SPLITS, *POOLS):
        split, same = getattr(data, name), getattr(again, name)
        if split is None and name not in {"start", "train", "test"}:
            continue
        assert isinstance(split, Samples), f"{name} is {type(split).__name__}, expected Samples"
        assert split.same_as(same), f"equal seeds must give equal {name}"
    for name in ("train", "test"):
        assert len(getattr(data, name)) > 0, f"the {name} split is empty"
    for name in ("start", "validation", "test"):
        split = getattr(data, name)
        if split is None:
            continue
        assert set(split) >= set(data.train), (
            f"{name} has the columns {list(split)}, train {list(data.train)}"
        )
        if len(split):
            same_types(split, data.train, f"{name} is unlike train", names=list(data.train))
    chosen = "start" if len(data.start) else "train"
    assert not getattr(other, chosen).same_as(getattr(data, chosen)), "other seeds must give other start sets"
    for name in ("validation", "test"):
        split, conditions = getattr(data, name), getattr(data, f"{name}_conditions")
        if split is not None and conditions is not None:
            assert len(conditions) == len(split), (
                f"{len(conditions)} {name}_conditions of {len(split)} samples"
            )
    assert data.conditions is None or len(data.conditions), (
        "conditions without rows: None says there are none"
    )
    schema = dataset.schema()
    _described(data, schema)
    _apart(data, schema)


def _described(data: RealData, schema: Schema) -> None:
    """Check that the schema names every column and describes it correctly."""
    assert isinstance(schema, Schema), f"schema gave {type(schema).__name__}, expected Schema"
    held = [samples for name in (*SPLITS, *POOLS) if (samples := getattr(data, name)) is not None]
    known = {name for samples in held for name in samples}
    assert set(schema) == known, f"the schema has the columns {sorted(schema)}, the data {sorted(known)}"
    conditions = set(data.conditions or ())
    assert set(schema.given) == conditions, (
        f"the schema gives generators {sorted(schema.given) or 'nothing'}, and the conditions are "
        f"{sorted(conditions) or 'none'}"
    )
    for name, column in schema.items():
        for samples in held:
            if name in samples and len(samples):
                wrong = misfit(samples[name], column)
                assert not wrong, f"column {name!r} does not fit the role {column.role}: {wrong}"


def _apart(data: RealData, schema: Schema) -> None:
    names = _telling(data.train, schema)
    if all(schema[name].role in ("category", "label") for name in names):
        return  # there are only a few different rows
    known: Mapping[str, set[bytes]] = {
        name: set(contents(split, names))
        for name in SPLITS
        if (split := getattr(data, name)) is not None and len(split)
    }
    by = f"(by {', '.join(names)})"
    assert known.get("start", set()) <= known["train"], f"the start set is a part of the training set {by}"
    for held, others in (("test", "train"), ("validation", "train"), ("validation", "test")):
        both = known.get(held, set()) & known.get(others, set())
        assert not both, (
            f"{len(both)} samples of {held} are in {others} as well {by}: nothing held out is left"
        )


def _telling(samples: Samples, schema: Schema) -> list[str]:
    """Return the columns that identify a sample."""
    for roles in (("prompt", "messages"), ("image",)):
        if names := [name for name in samples if schema[name].role in roles]:
            return names
    names = [name for name in samples if schema[name].role not in ("id", "extra")]
    return names or list(samples)
