"""The contract suite of all parts."""

import json
import pickle

from ...parts import Part
from ._common import suite


@suite
def check_part(part: Part) -> None:
    """Check that a part is its configuration: it equals its copies, has a hash, and changes nothing else."""
    cls = type(part)
    assert not cls.__private_attributes__, (
        f"private attributes {', '.join(cls.__private_attributes__)}: a part is its configuration alone, "
        "and what is learned belongs to the generator or the judge"
    )
    again = cls.model_validate(part.model_dump(mode="json"))
    assert again == part, f"{part!r} is not what its configuration {part.model_dump()} builds"
    written = json.loads(part.model_dump_json())
    assert cls.model_validate(written) == part, f"{part!r} is not what its configuration in JSON builds"
    copy = pickle.loads(pickle.dumps(part))
    assert copy == part, "a part must survive pickling"
    for other in (again, copy):
        assert hash(other) == hash(part), "equal parts must have equal hashes"
        assert other.digest() == part.digest(), "equal parts must have equal digests"
    for field in cls.model_fields:
        try:
            setattr(part, field, getattr(part, field))
        except (ValueError, AttributeError, TypeError):
            continue
        raise AssertionError(f"field {field!r} can be changed; parts are frozen")
