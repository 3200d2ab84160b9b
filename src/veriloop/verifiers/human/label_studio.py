"""Samples and verdicts as Label Studio's JSON, both ways, for teams that judge there.

A task's ``data`` holds the picture as ``image``, the other columns by name, and the sample's ``key``, by
which a verdict finds its sample again. A verdict is a single choice named ``verdict``, one of accept, reject
and abstain.
"""

import base64
import json
from typing import Any, NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

from ...errors import DataError
from .desk import Desk
from .store import Opinion, PostedSample, Store


class Imported(NamedTuple):
    """How many verdicts were taken over, and how many spoke of samples that the store does not know."""

    verdicts: int
    unknown: int


class _Data(BaseModel):
    key: str


class _Value(BaseModel):
    choices: list[Opinion] = []


class _Meta(BaseModel):
    text: list[str] = []


class _Result(BaseModel):
    from_name: str = ""
    value: _Value | dict[str, Any] = {}
    meta: _Meta = _Meta()


class _User(BaseModel):
    email: str


class _Annotation(BaseModel):
    result: list[_Result] = []
    was_cancelled: bool = False
    completed_by: int | _User | None = None


class _Task(BaseModel):
    data: _Data
    annotations: list[_Annotation] = []


_TASKS = TypeAdapter(list[_Task])


def to_label_studio(store: Store) -> str:
    """All samples of ``store`` as tasks, with the verdicts that people have given so far.

    Known samples are among them and not marked, as on our own page.
    """
    return json.dumps([_task(judged) for judged in store.everything()], indent=1, ensure_ascii=False)


def from_label_studio(content: bytes, store: Store, desk: Desk) -> Imported:
    """Take over the verdicts of a JSON export; taking them over twice changes nothing.

    A cancelled annotation is an abstention. The annotator is the one that our own export has named, or else
    Label Studio's user.

    Raises:
        DataError: The content is not such an export.
    """
    try:
        tasks = _TASKS.validate_json(content)
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "content"
        raise DataError(
            f"this is no JSON export of Label Studio: {where}",
            got=first["msg"],
            expected="a list of tasks with the data and annotations of veriloop's own export",
        ) from e
    known = {judged.key for judged in store.everything()}
    taken = unknown = 0
    for task in tasks:
        for annotation in task.annotations:
            answer = _answer(annotation)
            if answer is None:
                continue
            if task.data.key not in known:
                unknown += 1
                continue
            desk.record(_annotator(annotation), task.data.key, answer)
            taken += 1
    return Imported(taken, unknown)


def _task(judged: PostedSample) -> dict[str, Any]:
    picture = judged.shown.picture
    image = (
        {} if picture is None else {"image": "data:image/png;base64," + base64.b64encode(picture).decode()}
    )
    return {
        "data": {**judged.shown.words, **image, "key": judged.key},
        "meta": {name: value for name, value in judged.place.items() if value is not None},
        "annotations": [
            {
                "result": [
                    {
                        "from_name": "verdict",
                        "to_name": "sample",
                        "type": "choices",
                        "value": {"choices": [answer]},
                        "meta": {"text": [annotator]},
                    }
                ]
            }
            for annotator, answer in judged.verdicts.items()
        ],
    }


def _answer(annotation: _Annotation) -> Opinion | None:
    if annotation.was_cancelled:
        return "abstain"
    for result in annotation.result:
        if result.from_name == "verdict" and isinstance(result.value, _Value) and result.value.choices:
            return result.value.choices[0]
    return None


def _annotator(annotation: _Annotation) -> str:
    named = next((name for result in annotation.result for name in result.meta.text), None)
    if named is not None:
        return named
    user = annotation.completed_by
    return user.email if isinstance(user, _User) else f"label studio user {user or 'unknown'}"
