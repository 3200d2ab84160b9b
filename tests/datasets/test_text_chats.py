"""Chats and nested columns, in all forms that data have: what was written comes out of the loader equal."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veriloop.datasets.hugging_face import HuggingFace
from veriloop.datasets.text import TextFiles
from veriloop.datasets.text_columns import Columns
from veriloop.errors import ConfigError, DataError
from veriloop.loop.check import seen_in
from veriloop.samples import Samples, concat, rows_of
from veriloop.testing import check_dataset

SYSTEM = {"role": "system", "content": "Answer with a number."}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Rows as a file of the kind that its name says; in CSV, nested values are JSON text in a cell."""
    match path.suffix:
        case ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        case ".json":
            path.write_text(json.dumps(rows, indent=1))
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        case ".csv":
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(
                    {k: v if isinstance(v, str) else json.dumps(v) for k, v in r.items()} for r in rows
                )
    return path


def loaded(path: Path, **settings: Any) -> tuple[TextFiles, list[dict[str, Any]], dict[str, str]]:
    """A data set of ``path``, its rows in the file's order, and the roles of its columns."""
    dataset = TextFiles(**{"files": str(path), "held_out": 1, "validation": 0, "start": 0, **settings})
    data = dataset.load(0)
    train: Samples = concat([data.train, data.test])
    rows = sorted(rows_of(train), key=lambda row: row["id"])
    return dataset, rows, {name: column.role for name, column in dataset.schema().items()}


CHATS = [[SYSTEM, user(f"{i} + {i}?"), assistant(f" {2 * i}\n")] for i in range(4)]
KINDS = pytest.mark.parametrize("kind", ["jsonl", "json", "parquet", "csv"])


@KINDS
def test_the_last_turn_of_the_assistant_is_the_completion(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / f"chats.{kind}", [{"messages": chat} for chat in CHATS])
    dataset, rows, roles = loaded(path)
    assert roles == {"id": "id", "messages": "messages", "completion": "completion", "reference": "reference"}
    assert rows == [
        {"id": i, "messages": chat[:-1], "completion": f" {2 * i}\n", "reference": f" {2 * i}\n"}
        for i, chat in enumerate(CHATS)
    ]
    check_dataset(dataset)
    given = dataset.load(0).conditions
    assert given is not None
    assert list(given) == ["id", "messages", "reference"]
    named, same, _ = loaded(path, columns={"prompt": "messages", "completion": None})
    assert same == rows, "a chat holds its completion, whatever is said of columns"
    assert named.model_copy(update={"start": 2}).load(0).start["completion"]


@KINDS
def test_earlier_answers_belong_to_the_prompt(tmp_path: Path, kind: str) -> None:
    chats = [[user("Think."), assistant(str(i)), user("Double it."), assistant(str(2 * i))] for i in range(3)]
    _, rows, _ = loaded(write(tmp_path / f"chats.{kind}", [{"messages": chat} for chat in chats]))
    assert [row["messages"] for row in rows] == [chat[:-1] for chat in chats]


@KINDS
def test_share_gpt_becomes_messages(tmp_path: Path, kind: str) -> None:
    who = {"system": "system", "user": "human", "assistant": "gpt"}
    talks = [[{"from": who[t["role"]], "value": t["content"]} for t in chat] for chat in CHATS]
    _, rows, roles = loaded(write(tmp_path / f"chats.{kind}", [{"conversations": talk} for talk in talks]))
    assert roles["conversations"] == "messages"
    assert [row["conversations"] for row in rows] == [chat[:-1] for chat in CHATS]
    assert [row["completion"] for row in rows] == [chat[-1]["content"] for chat in CHATS]


@KINDS
@pytest.mark.parametrize("as_turns", [True, False])
def test_prompt_and_completion_as_turns(tmp_path: Path, kind: str, as_turns: bool) -> None:
    pairs = [
        {"prompt": chat[:-1], "completion": [chat[-1]] if as_turns else chat[-1]["content"]} for chat in CHATS
    ]
    _, rows, roles = loaded(write(tmp_path / f"pairs.{kind}", pairs))
    assert roles["prompt"] == "messages"
    assert [(row["prompt"], row["completion"]) for row in rows] == [(c[:-1], c[-1]["content"]) for c in CHATS]


INFO: list[Any] = [
    {"a": 1, "b": [], "é\u2028": None},
    {"a": 1.0, "b": [1, "x", {"c": True}]},
    {"a": 2**53 + 1},
    {"a": -0.0},
]


@pytest.mark.parametrize("kind", ["jsonl", "json"])
def test_prompts_with_other_columns_carry_them_along(tmp_path: Path, kind: str) -> None:
    others = [
        {
            "answer": str(i),
            "info": INFO[i],
            "tests": [[i, 2 * i]] * i,
            "weight": i / 2,
            "hint": "h" if i else None,
            "big": 2**64 + i,
        }
        for i in range(4)
    ]
    written = [{"prompt": chat[:-1], **other} for chat, other in zip(CHATS, others, strict=True)]
    dataset, rows, roles = loaded(write(tmp_path / f"prompts.{kind}", written))
    assert roles == {
        "id": "id",
        "prompt": "messages",
        "completion": "completion",
        "answer": "extra",
        "info": "nested",
        "tests": "nested",
        "weight": "extra",
        "hint": "nested",
        "big": "nested",
    }
    assert [{k: v for k, v in row.items() if k != "id"} for row in rows] == written
    assert [str(row["info"]) for row in rows] == [str(info) for info in INFO], "1 is not 1.0"
    check_dataset(dataset)
    _, some, _ = loaded(dataset.sources()[str(tmp_path / f"prompts.{kind}")], columns={"keep": ["info"]})
    assert list(some[0]) == ["id", "prompt", "info"]


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
SAID = st.text().filter(str.strip)


@given(
    st.lists(st.tuples(SAID, SAID, st.dictionaries(st.text(), VALUES, max_size=3)), min_size=3, max_size=6)
)
@settings(max_examples=40, deadline=None)
def test_what_is_read_is_what_was_written(tmp_path_factory: pytest.TempPathFactory, told: list[Any]) -> None:
    written = [
        {"messages": [user(f"{i} {asked}"), assistant(said)], "info": info}
        for i, (asked, said, info) in enumerate(told)
    ]
    path = write(tmp_path_factory.getbasetemp() / "any.jsonl", written)
    _, rows, _ = loaded(path)
    back = [{"messages": [*r["messages"], assistant(r["completion"])], "info": r["info"]} for r in rows]
    assert json.dumps(back) == json.dumps(written)


def test_an_answer_may_be_begun_in_the_prompt_but_not_in_a_chat(tmp_path: Path) -> None:
    begun = [[user(f"{i} + {i}?"), assistant("The sum is")] for i in range(3)]
    _, rows, _ = loaded(write(tmp_path / "a.jsonl", [{"prompt": turns} for turns in begun]))
    assert [row["prompt"] for row in rows] == begun
    _, rows, _ = loaded(
        write(tmp_path / "b.jsonl", [{"messages": t, "response": "4"} for t in begun]),
        columns={"prompt": "messages", "completion": "response"},
    )
    assert rows[0]["response"] == "4"
    assert [row["messages"] for row in rows] == begun


def test_chats_that_end_with_a_question_are_prompts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"messages": chat[:-1]} for chat in CHATS])
    _, rows, roles = loaded(path)
    assert list(roles) == ["id", "messages", "completion"]
    assert [row["messages"] for row in rows] == [chat[:-1] for chat in CHATS]
    write(path, [{"messages": CHATS[0][:-1]}, *({"messages": chat} for chat in CHATS[1:])])
    with pytest.raises(DataError, match="line 2: column 'messages' ends with an assistant turn"):
        loaded(path)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ([{"role": "wizard", "content": "x"}], "turn 1: role: got 'wizard'"),
        ([user("x")], "does not end with an assistant turn"),
        ([user("x"), user("y"), assistant("z")], "turn 2: two turns of the user in a row"),
        ([user("x"), assistant(" ")], r"turn 2 \(assistant\) is empty"),
        (
            [user("x"), {"role": "assistant", "content": None, "tool_calls": [{}]}],
            "ends with a tool call",
        ),
        ([assistant("x")], "has no question"),
        ([SYSTEM, assistant("x")], "has no question"),
        ([], "has no turns"),
        ("hello", "got 'hello', expected a list of turns"),
        (None, "got 'NoneType', expected a list of turns"),
        ([user("x"), assistant("\ud83d")], "an unpaired surrogate"),
    ],
)
def test_a_broken_chat_is_one_line_with_its_place(tmp_path: Path, second: Any, words: str) -> None:
    path = write(tmp_path / "a.jsonl", [{"messages": chat} for chat in (CHATS[0], second, CHATS[2])])
    with pytest.raises(DataError, match=words) as error:
        loaded(path)
    assert "a.jsonl, line 2: column 'messages'" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("row", "columns", "words"),
    [
        ({"prompt": "a", "messages": CHATS[0]}, {}, "which column is the prompt, prompt or messages"),
        (
            {"messages": CHATS[0]},
            {"messages": "messages", "completion": "x"},
            "replaces prompt and completion",
        ),
        ({"messages": CHATS[0]}, {"messages": "talk"}, "no column 'talk'"),
        ({"prompt": CHATS[0][:-1], "completion": CHATS[0]}, {}, "got '3 turns', expected one"),
        (
            {"prompt": CHATS[0][:-1], "completion": 4},
            {},
            "got 'int', expected text, or a list with one assistant turn",
        ),
        ({"prompt": "a", "messages": "b"}, {"messages": "messages"}, "JSON text of one"),
    ],
)
def test_what_cannot_be_told_apart_is_asked_for(tmp_path: Path, row: Any, columns: Any, words: str) -> None:
    with pytest.raises((ConfigError, DataError), match=words):
        loaded(write(tmp_path / "a.jsonl", [row] * 3), columns=columns)


def test_equal_questions_stay_on_one_side_whatever_form_they_have(tmp_path: Path) -> None:
    one = [user("2 + 2?"), assistant("4")]
    other = [{"from": "human", "value": "2 + 2?"}, {"from": "gpt", "value": "four"}]
    train = write(tmp_path / "train.jsonl", [{"messages": c} for c in (one, *CHATS)])
    test = write(tmp_path / "test.jsonl", [{"messages": other}])
    data = TextFiles(files=str(train), held_out=str(test), start=0, validation=0).load(0)
    assert data.duplicates == {"train": 1}
    assert len(data.train) == len(CHATS)


@pytest.mark.parametrize("later", [None, [1], {"a": 1}])
def test_a_later_row_of_another_kind_is_named(tmp_path: Path, later: Any) -> None:
    rows = [{"prompt": f"p{i}", "tests": "t"} for i in range(12)]
    path = write(tmp_path / "a.jsonl", [*rows, {"prompt": "p", "tests": later}])
    with pytest.raises(DataError, match=r"line 13: column 'tests'.*columns\.keep"):
        loaded(path)
    with pytest.raises(DataError, match=r"line 13: no column 'tests'.*columns\.keep"):
        loaded(write(path, [*rows, {"prompt": "p"}]))
    assert list(loaded(path, columns=Columns(keep=()))[1][0]) == ["id", "prompt"]


def test_dates_and_bytes_are_not_carried_along_unasked(tmp_path: Path) -> None:
    import datetime

    rows = [{"prompt": f"p{i}", "when": datetime.date(2026, 1, 1), "raw": b"x", "n": 1} for i in range(3)]
    path = write(tmp_path / "a.parquet", rows)
    assert list(loaded(path)[1][0]) == ["id", "prompt", "n"]
    with pytest.raises(DataError, match="column 'when': a value that JSON cannot hold"):
        loaded(path, columns={"keep": ["when"]})


def test_a_local_folder_of_hugging_face(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    write(tmp_path / "train.jsonl", [{"messages": chat, "info": {"n": i}} for i, chat in enumerate(CHATS)])
    write(tmp_path / "test.jsonl", [{"messages": [user("1?"), assistant("1")], "info": {"n": 9}}] * 1)
    dataset = HuggingFace(name=str(tmp_path), start=0, validation=0)
    data = dataset.load(0)
    rows = sorted(rows_of(data.train), key=lambda row: row["id"])
    assert [row["messages"] for row in rows] == [chat[:-1] for chat in CHATS]
    assert [row["info"] for row in rows] == [{"n": i} for i in range(4)]
    assert dataset.schema().named("nested") == ["info"]


def test_a_check_counts_rows_turns_and_system_prompts(tmp_path: Path) -> None:
    chats = [*CHATS, [user("1?"), assistant("1"), user("2?"), assistant("2")]]
    dataset, _, _ = loaded(write(tmp_path / "a.jsonl", [{"messages": chat} for chat in chats]))
    seen = seen_in(dataset.load(0), dataset.schema())
    assert seen.rows == {"start": 0, "train": 4, "validation": 0, "test": 1}
    assert seen.turns == {"messages": 4 * 2 + 3}
    assert seen.system == {"messages": 4}
