"""What every data set's schema must say of its samples."""

from collections.abc import Callable

import numpy as np
import pytest

from veriloop.datasets.base import Dataset, RealData
from veriloop.schema import TEXT_ROLES, Image, Label, Vector


def check(dataset: Dataset) -> RealData:
    """The schema's columns are those of the samples, of the types it says; the splits have them, too."""
    schema, data = dataset.schema(), dataset.load(0)
    conditions = data.conditions
    assert set(schema) == set(data.start) | set(conditions or ())
    assert set(schema.given) == set(conditions or ())
    validation = data.validation
    assert validation is not None
    for part in (data.start, data.train, validation, data.test):
        assert set(part) <= set(schema)
        for name in part:
            column = schema[name]
            values = part[name]
            if column.role in TEXT_ROLES:
                assert isinstance(values, list)
            if isinstance(column, Image):
                pixels = part.array(name)
                assert pixels.shape[1:] == (column.height, column.width)
                assert pixels.dtype == np.uint8
                assert pixels.max(initial=0) <= column.levels
            if isinstance(column, Label):
                assert part.array(name).max(initial=0) < column.classes
            if isinstance(column, Vector):
                assert part.array(name).shape[1:] == (column.p,)
    for split, given in ((data.test, data.test_conditions), (validation, data.validation_conditions)):
        if given is not None:
            assert given.same_as(split.only(list(given)))
    again = dataset.load(1)
    assert again.validation is not None
    if data.test_conditions is not None:
        assert again.test.same_as(data.test)
        assert again.validation.same_as(validation)
    return data


@pytest.fixture
def check_schema() -> Callable[[Dataset], RealData]:
    """The check, and the data that it loaded."""
    return check
