import contextlib
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from veriloop.errors import DataError
from veriloop.samples import Samples
from veriloop.verifiers.human.content import content_keys
from veriloop.verifiers.human.database import open_database
from veriloop.verifiers.human.desk import Desk
from veriloop.verifiers.human.label_studio import Imported, from_label_studio, to_label_studio
from veriloop.verifiers.human.store import Store


@pytest.fixture
def urls(tmp_path):
    """Two empty stores."""
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("ours", "theirs")]
    yield urls
    for url in urls:
        open_database(url).close()


def _asked():
    pixels = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)
    return Samples(pixels=pixels, label=np.array([3, 4]), _arm=["verified"] * 2, _row=np.arange(2))


def _verdicts(store):
    return {judged.key: dict(judged.verdicts) for judged in store.everything()}


def test_verdicts_survive_the_way_there_and_back(urls):
    (ours, theirs), asked = urls, _asked()
    for url in urls:
        Store(url).post(asked, None, wanted=2, queue=9)
    first, second = content_keys(asked)
    Desk(ours).record("ann", first, "accept")
    Desk(ours).record("bob", first, "abstain")
    Desk(ours).record("ann", second, "reject")
    content = to_label_studio(Store(ours)).encode()
    tasks = json.loads(content)
    assert [task["data"]["label"] for task in tasks] == ["3", "4"]
    assert all(task["data"]["image"].startswith("data:image/png;base64,") for task in tasks)
    assert tasks[1]["meta"] == {"arm": "verified", "row": 1}
    for _ in range(2):
        assert from_label_studio(content, Store(theirs), Desk(theirs)) == Imported(3, 0)
        assert _verdicts(Store(theirs)) == _verdicts(Store(ours))


def test_an_export_of_label_studio_is_taken_over(urls):
    store, desk, asked = Store(urls[0]), Desk(urls[0]), _asked()
    store.post(asked, None, wanted=2, queue=9)
    first, second = content_keys(asked)

    def chosen(answer):
        choice = {
            "from_name": "verdict",
            "to_name": "sample",
            "type": "choices",
            "id": "x",
            "origin": "manual",
        }
        return [
            {"from_name": "box", "type": "rectanglelabels", "value": {"x": 1.5, "rectanglelabels": ["Car"]}},
            {**choice, "value": {"choices": [answer]}},
        ]

    tasks = [
        {
            "id": 17,
            "data": {"image": "...", "label": "3", "key": first},
            "annotations": [
                {"id": 1, "completed_by": 5, "result": chosen("accept"), "lead_time": 3.2},
                {"id": 2, "completed_by": {"id": 6, "email": "bob@example.org"}, "result": chosen("reject")},
                {"id": 3, "completed_by": 7, "result": []},
            ],
            "predictions": [],
        },
        {"data": {"key": second}, "annotations": [{"completed_by": 5, "was_cancelled": True, "result": []}]},
        {"data": {"key": "f" * 64}, "annotations": [{"completed_by": 5, "result": chosen("accept")}]},
    ]
    assert from_label_studio(json.dumps(tasks).encode(), store, desk) == Imported(3, 1)
    assert _verdicts(store) == {
        first: {"label studio user 5": "accept", "bob@example.org": "reject"},
        second: {"label studio user 5": "abstain"},
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "key", "annotations", "result", "value"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=20), JSON.map(lambda value: json.dumps(value).encode())))
def test_anything_else_is_one_clear_line_or_nothing(urls, content):
    # An empty list of tasks is an export; whatever else it may be, only our own error comes out.
    with contextlib.suppress(DataError):
        assert from_label_studio(content, Store(urls[0]), Desk(urls[0])).verdicts == 0
