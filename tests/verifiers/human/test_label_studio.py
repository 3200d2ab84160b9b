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
        assert from_label_studio(content, Store(theirs), Desk(theirs)) == Imported(3, {})
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
    assert from_label_studio(json.dumps(tasks).encode(), store, desk) == Imported(
        3, {"nothing was chosen": 1, "the run has not asked for the sample": 1}
    )
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


def _annotated(answer="accept", *, meta=None, **fields):
    choice = {"from_name": "verdict", "value": {"choices": [answer]}, "meta": meta}
    return {"id": 1, "result": [choice], "was_cancelled": False, "completed_by": 1, **fields}


def _taken(url, *annotations, encoding="utf-8"):
    """What comes of a task for the first sample with these annotations."""
    store, asked = Store(url), _asked()
    store.post(asked, None, wanted=9, queue=9)
    first = content_keys(asked)[0]
    content = json.dumps([{"data": {"key": first}, "annotations": annotations, "predictions": None}])
    return from_label_studio(content.encode(encoding), store, Desk(url)), _verdicts(store)[first]


@pytest.mark.parametrize(
    ("change", "who"),
    [
        ({"was_cancelled": None}, "label studio user 1"),
        ({"completed_by": {"id": 3}}, "label studio user 3"),
        ({"completed_by": {"id": 3, "email": None}}, "label studio user 3"),
        ({"completed_by": {"id": None, "email": None}}, "label studio annotation 1"),
        ({"completed_by": None}, "label studio annotation 1"),
        ({"completed_by": "cyd"}, "cyd"),
        ({"completed_by": None, "id": None}, "label studio annotation 1"),
        ({"lead_time": None, "parent_prediction": None}, "label studio user 1"),
    ],
)
def test_null_means_that_nothing_was_set(urls, change, who):
    taken, verdicts = _taken(urls[0], _annotated(**change))
    assert taken == Imported(1, {})
    assert verdicts == {who: "accept"}


def test_a_byte_order_mark_is_passed_over(urls):
    assert _taken(urls[0], _annotated(), encoding="utf-8-sig")[0].verdicts == 1


def test_a_note_is_nobodys_name_and_nobodys_verdict_is_lost(urls):
    note = {"text": ["unsure"]}
    said = [_annotated("accept", meta=note), _annotated("reject", meta=note, completed_by=2, id=2)]
    assert _taken(urls[0], *said)[1] == {"label studio user 1": "accept", "label studio user 2": "reject"}


def test_people_without_a_name_are_kept_apart(urls):
    said = [_annotated("accept", completed_by=None, id=i) for i in (7, 8)]
    for _ in range(2):
        taken, verdicts = _taken(urls[0], *said)
        assert taken == Imported(2, {})
        assert verdicts == {f"label studio annotation {i}": "accept" for i in (7, 8)}


def test_what_is_left_out_is_counted_and_named(urls):
    said = [
        _annotated("reject"),
        _annotated("accept", id=2),
        _annotated("Yes", completed_by=2),
        _annotated("yes", completed_by=3),
        _annotated("yes", completed_by=4),
        {"result": None},
    ]
    taken, verdicts = _taken(urls[0], *said)
    assert verdicts == {"label studio user 1": "accept"}
    assert taken == Imported(
        1,
        {
            "the same annotator gave a later one on the sample": 1,
            "the choice 'Yes' is not one of accept, reject, abstain": 1,
            "the choice 'yes' is not one of accept, reject, abstain": 2,
            "nothing was chosen": 1,
        },
    )


@pytest.mark.parametrize(
    ("annotations", "why"),
    [([], "no annotations"), ([_annotated("yes")] * 2, r"'yes' is not one of .* \(2\)")],
)
def test_nothing_taken_over_is_an_error(urls, annotations, why):
    with pytest.raises(DataError, match=why):
        _taken(urls[0], *annotations)


def test_a_task_without_a_key_does_not_hide_the_others(urls):
    store, asked = Store(urls[0]), _asked()
    store.post(asked, None, wanted=1, queue=9)
    tasks = [{"data": {"key": content_keys(asked)[0]}}, {"data": {"text": "theirs"}}]
    content = json.dumps([{**task, "annotations": [_annotated()]} for task in tasks]).encode()
    assert from_label_studio(content, store, Desk(urls[0])) == Imported(1, {"the task has no key": 1})
