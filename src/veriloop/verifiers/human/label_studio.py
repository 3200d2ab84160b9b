"""Convert samples and verdicts to and from Label Studio's JSON, for teams that judge there.

A task's ``data`` holds the picture as ``image``, the other columns by name, and the sample's ``key``, which
links a verdict to its sample. A verdict is a single choice named ``verdict``: accept, reject or abstain; in
veriloop's exports its ``meta`` names the annotator.
"""

import base64
import codecs
import json
from collections import Counter
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError, model_validator

from ...errors import DataError
from .desk import Desk
from .store import Opinion, PostedSample, Store


class Imported(NamedTuple):
    """The result of an import.

    Attributes:
        verdicts: Number of verdicts imported.
        left_out: Number of verdicts left out, by reason.
    """

    verdicts: int
    left_out: dict[str, int]


class _Read(BaseModel):
    @model_validator(mode="before")
    @classmethod
    def _null_is_nothing(cls, data: Any) -> Any:
        """Treat null as unset, as Label Studio writes it."""
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if value is not None}
        return data


class _Data(_Read):
    key: str | None = None


class _Value(_Read):
    choices: list[str] = []


class _Meta(_Read):
    # ``text``, a note of the annotator, may also be there; it is not a name.
    annotator: str | None = None


class _Result(_Read):
    from_name: str = ""
    value: _Value | dict[str, Any] = {}
    meta: _Meta = _Meta()


class _User(_Read):
    id: int | str | None = None
    email: str | None = None


class _Annotation(_Read):
    id: int | str | None = None
    result: list[_Result] = []
    was_cancelled: bool = False
    completed_by: int | str | _User | None = None


class _Task(_Read):
    data: _Data = _Data()
    annotations: list[_Annotation] = []


_TASKS = TypeAdapter(list[_Task])


def to_label_studio(store: Store) -> str:
    """Return all samples of ``store`` as tasks, with the verdicts so far.

    Known samples are included unmarked, as on the page.
    """
    return json.dumps([_task(judged) for judged in store.everything()], indent=1, ensure_ascii=False)


def from_label_studio(content: bytes, store: Store, desk: Desk) -> Imported:
    """Import the verdicts of a JSON export; importing them twice changes nothing.

    A cancelled annotation is an abstention. The annotator is the one named by veriloop's export, or else
    Label Studio's user; without either, each annotation counts as a separate person. If an annotator has
    several verdicts on a sample, the last one counts.

    Raises:
        DataError: The content is not such an export, or contains no usable verdict.
    """
    try:
        tasks = _TASKS.validate_json(content.removeprefix(codecs.BOM_UTF8))
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "content"
        raise DataError(
            f"this is not a JSON export of Label Studio: {where}",
            got=first["msg"],
            expected="a list of tasks with the data and annotations of veriloop's own export",
        ) from e
    known = {judged.key for judged in store.everything()}
    verdicts: dict[tuple[str, str], Opinion] = {}
    left_out: Counter[str] = Counter()
    for task in tasks:
        for number, annotation in enumerate(task.annotations, 1):
            (answer, why), key = _answer(annotation), task.data.key
            if answer is None:
                left_out[why] += 1
            elif key not in known:
                left_out["the run has not asked for the sample" if key else "the task has no key"] += 1
            else:
                by = _annotator(annotation, number), key
                left_out["the same annotator gave a later one on the sample"] += by in verdicts
                verdicts[by] = answer
    left_out = +left_out
    if not verdicts:
        why = "; ".join(f"{reason} ({n:,})" for reason, n in left_out.most_common())
        raise DataError("no verdict can be imported", got=why or "no annotations")
    for (annotator, key), answer in verdicts.items():
        desk.record(annotator, key, answer)
    return Imported(len(verdicts), dict(left_out))


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
                        "meta": {"annotator": annotator},
                    }
                ]
            }
            for annotator, answer in judged.verdicts.items()
        ],
    }


def _answer(annotation: _Annotation) -> tuple[Opinion | None, str]:
    """Return the verdict, or why there is none."""
    if annotation.was_cancelled:
        return "abstain", ""
    for result in annotation.result:
        if result.from_name == "verdict" and isinstance(result.value, _Value) and result.value.choices:
            chosen, opinions = ", ".join(result.value.choices), get_args(Opinion)
            said = next((opinion for opinion in opinions if opinion == chosen), None)
            return said, f"the choice {chosen!r} is not one of {', '.join(opinions)}"
    return None, "nothing was chosen"


def _annotator(annotation: _Annotation, number: int) -> str:
    """Return the annotator; ``number`` is the annotation's index in its task."""
    for result in annotation.result:
        if result.from_name == "verdict" and result.meta.annotator:
            return result.meta.annotator
    user = annotation.completed_by
    if isinstance(user, _User):
        user = user.email or user.id
    if isinstance(user, str):
        return user
    if user is not None:
        return f"label studio user {user}"
    return f"label studio annotation {number if annotation.id is None else annotation.id}"
