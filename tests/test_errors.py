import pickle

import pytest

from veriloop import errors


def _tree(cls=errors.VeriloopError):
    return [cls, *(c for sub in cls.__subclasses__() for c in _tree(sub))]


@pytest.mark.parametrize("cls", [c for c in _tree() if c.__module__ == "veriloop.errors"])
def test_every_error_survives_pickling(cls):
    error = cls("a thing", got=3, expected="4", fix="use 4")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert str(again) == str(error) == "a thing: got 3, expected 4. Use 4"


def test_a_message_is_one_line():
    error = errors.DataError("first\nsecond", got="x\ny", fix="do\nthis")
    assert "\n" not in str(error)


def test_standard_types_are_kept():
    assert issubclass(errors.ConfigError, ValueError)
    assert issubclass(errors.MissingExtraError, ImportError)
    assert issubclass(errors.StorageError, OSError)


def test_missing_extra_names_the_command():
    assert "pip install 'veriloop[ray]'" in str(errors.MissingExtraError.of("ray", "ray"))
