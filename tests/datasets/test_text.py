import gzip
import itertools
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.datasets.text import TextFiles, count
from veriloop.datasets.text_columns import Columns, settle
from veriloop.errors import ConfigError, DataError
from veriloop.tables import read_table
from veriloop.testing import check_dataset

ROWS = [
    {"key": f"k{i}", "article": f"Article {i},\nline two", "highlights": f"Says “{i}”"} for i in range(40)
]
COLUMNS = Columns(id="key")


def renamed(**changes: object) -> Columns:
    return COLUMNS.model_copy(update=changes)


def write(path: Path, rows: list[dict]) -> Path:
    if ".jsonl" in path.name:
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        import csv

        with path.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return path


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.jsonl.gz", "pairs.csv", "pairs.parquet"])
def test_every_kind_of_file_gives_the_same_pairs(tmp_path: Path, name: str) -> None:
    data = TextFiles(files=str(write(tmp_path / name, ROWS)), columns=COLUMNS).load(0)
    assert data.validation is not None
    assert [len(data.start), len(data.train), len(data.validation), len(data.test)] == [4, 36, 2, 2]
    assert list(data.train) == ["key", "article", "highlights", "reference"], "columns keep their names"
    found = {i: (d, s) for part in (data.train, data.validation, data.test) for i, d, s in zip(
        part.texts("key"), part.texts("article"), part.texts("highlights"), strict=True
    )}  # fmt: skip
    assert found == {row["key"]: (row["article"], row["highlights"]) for row in ROWS}
    assert data.train["reference"] == data.train["highlights"]
    assert data.conditions is not None
    assert list(data.conditions) == ["key", "article", "reference"]
    assert data.duplicates == {}


def test_keeps_the_contract(tmp_path: Path, check_schema) -> None:
    path = str(write(tmp_path / "a.jsonl", ROWS))
    check_dataset(TextFiles(files=path, columns=COLUMNS, start=5, train=20))
    dataset = TextFiles(files=path, columns=COLUMNS, start=5, validation=0)
    check_schema(dataset)
    roles = {name: column.role for name, column in dataset.schema().items()}
    assert roles == {"key": "id", "article": "prompt", "highlights": "completion", "reference": "reference"}


def test_the_held_out_pairs_are_those_of_every_seed_and_the_start_set_is_not(tmp_path: Path) -> None:
    path = str(write(tmp_path / "a.jsonl", ROWS))
    data = TextFiles(files=path, columns=COLUMNS, start=10, held_out=8, test=3)
    one, other = data.load(1), data.load(2)
    assert one.test.same_as(other.test)
    assert set(one.train["key"]) == set(other.train["key"])
    assert set(one.start["key"]) != set(other.start["key"])
    assert not set(one.train["key"]) & set(one.test["key"])


def test_several_files_and_held_out_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i, name in enumerate(("a-1.jsonl", "a-2.jsonl", "test.jsonl")):
        write(tmp_path / name, ROWS[10 * i : 10 * i + 10])
    monkeypatch.setenv("VERILOOP_DATA", str(tmp_path))
    columns = Columns(prompt="article", completion="highlights")
    for files in ("a-*.jsonl", ("a-1.jsonl", "a-2.jsonl")):
        data = TextFiles(files=files, held_out="test.jsonl", columns=columns, start=1.0).load(0)
        assert sorted(data.start.array("id")) == list(range(20)), "rows are numbered where they have no id"
        assert data.validation is not None
        held_out = [*data.test.array("id"), *data.validation.array("id")]
        assert sorted(held_out) == list(range(20, 30)), "and held-out ones are numbered on"


def test_validation_pairs_are_a_share_of_the_held_out_ones_or_have_files(tmp_path: Path) -> None:
    path = str(write(tmp_path / "a.jsonl", ROWS[:30]))
    own = str(write(tmp_path / "v.jsonl", ROWS[30:]))

    def split(**fields: object) -> tuple[set, set]:
        data = TextFiles.model_validate({"files": path, "held_out": 10, "columns": COLUMNS, **fields}).load(0)
        assert data.validation is not None
        return set(data.validation["key"]), set(data.test["key"])

    whole = split(validation=0)
    assert [len(side) for side in whole] == [0, 10]
    for size, n in ((None, 5), (3, 3), (0.2, 2)):
        validation, test = split(validation=size)
        assert len(validation) == n
        assert validation | test == whole[1]
    assert split(test=2)[1] <= split(validation=0, test=2)[1] == split(test=2)[1]
    validation, test = split(validation_files=own)
    assert (validation, test) == ({f"k{i}" for i in range(30, 40)}, whole[1])
    assert len(split(validation_files=own, validation=4)[0]) == 4
    with pytest.raises(ConfigError, match="validation leaves no pairs to test with"):
        split(validation=10)


def test_equal_prompts_stay_on_one_side(tmp_path: Path) -> None:
    rows = [{"prompt": f"Say {i // 3}" + " " * (i % 3), "completion": f"{i}"} for i in range(60)]
    path = str(write(tmp_path / "a.jsonl", rows))
    for held_out in (1, 10, 0.5):
        data = TextFiles(files=path, held_out=held_out, start=0).load(0)
        assert data.validation is not None
        sides = [
            {t.strip() for t in side.texts("prompt")} for side in (data.train, data.validation, data.test)
        ]
        assert not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]
        assert len(data.train) + len(data.validation) + len(data.test) == 60
        assert data.duplicates == {}
    same = str(write(tmp_path / "same.jsonl", [{"prompt": "Say it", "completion": f"{i}"} for i in range(9)]))
    with pytest.raises(ConfigError, match=r"held_out leaves no pairs.*with equal prompts kept together"):
        TextFiles(files=same).load(0)


def test_files_that_overlap_lose_training_rows_and_count_them(tmp_path: Path) -> None:
    for name, rows in (("train", ROWS[:20]), ("test", ROWS[18:24]), ("valid", [*ROWS[16:19], *ROWS[30:33]])):
        write(tmp_path / f"{name}.jsonl", rows)
    files = {"held_out": str(tmp_path / "test.jsonl"), "validation_files": str(tmp_path / "valid.jsonl")}
    for columns in (COLUMNS, Columns()):
        data = TextFiles.model_validate(
            {"files": str(tmp_path / "train.jsonl"), "columns": columns, **files}
        ).load(0)
        assert data.validation is not None
        assert [len(data.train), len(data.validation), len(data.test)] == [16, 5, 6]
        assert data.duplicates == {"train": 4, "validation": 1}
    with pytest.raises(DataError, match="every training row is also held out"):
        TextFiles.model_validate({"files": str(tmp_path / "test.jsonl"), "columns": COLUMNS, **files}).load(0)


def test_other_columns_and_references_are_carried_along(tmp_path: Path, check_schema) -> None:
    rows = [
        {"id": i, "q": f"{i} + 1 =", "a": str(i + 1), "tests": f"t{i}", "weight": i / 2} for i in range(9)
    ]
    columns = Columns(id="id", prompt="q", completion="a", reference="tests", keep=("weight",))
    dataset = TextFiles(files=str(write(tmp_path / "a.jsonl", rows)), columns=columns, held_out=2)
    data = check_schema(dataset)
    assert data.conditions is not None
    assert list(data.conditions) == ["id", "q", "tests", "weight"]
    number = data.conditions.array("id")
    assert data.conditions["tests"] == [f"t{i}" for i in number]
    assert np.array_equal(data.conditions.array("weight"), number / 2)
    assert dataset.schema().one("reference", "the test") == "tests"
    copied = dataset.model_copy(update={"columns": columns.model_copy(update={"reference": "q"})})
    assert check_schema(copied).train["reference"] == copied.load(0).train["q"]


@pytest.mark.parametrize("tell", [lambda d: d.check_ahead(d.schema()), lambda d: d.load(0)])
def test_prompts_alone_train_no_start_model(tmp_path: Path, tell) -> None:
    path = str(write(tmp_path / "a.jsonl", [{"question": f"Q {i}?"} for i in range(40)]))
    with pytest.raises(ConfigError, match=r"start model: got 'start=0.125 and no column.*Set start: 0"):
        tell(TextFiles(files=path))
    tell(TextFiles(files=path, start=0))


def test_prompts_alone_start_with_the_learners_own_model(tmp_path: Path, check_schema) -> None:
    path = str(write(tmp_path / "a.jsonl", [{"prompt": f"Write {i}", "answer": str(i)} for i in range(10)]))
    columns = Columns(completion=None, keep=("answer",))
    for dataset in (
        TextFiles(files=path, columns=columns, start=0),
        TextFiles(files=path, columns=Columns(keep=("answer",)), start=0),
    ):
        data = check_schema(dataset)
        assert list(data.train) == ["id", "prompt", "answer"]
        assert len(data.start) == 0
        assert list(data.start) == ["id", "prompt", "answer", "completion"], "as kept samples will have"
    with pytest.raises(ConfigError, match="Set start: 0"):
        TextFiles(files=path, columns=columns).load(0)


@pytest.mark.parametrize(
    ("known", "said", "prompt", "completion", "reference"),
    [
        ("prompt completion", {}, "prompt", "completion", "completion"),
        ("prompt question text completion answer", {}, "prompt", "completion", "completion"),
        ("id question answer", {}, "question", "answer", "answer"),
        ("article highlights reference", {}, "article", "highlights", "reference"),
        ("question answer solution", {"completion": "solution"}, "question", "solution", "solution"),
        ("question answer solution", {"keep": ["solution"]}, "question", "answer", "answer"),
        ("question answer", {"completion": None}, "question", None, None),
        ("question answer", {"reference": "answer"}, "question", None, "answer"),
        ("text label", {}, "text", None, None),
        ("a b", {"prompt": "a", "completion": "b"}, "a", "b", "b"),
    ],
)
def test_roles_are_found_by_name(
    known: str, said: dict, prompt: str, completion: str | None, reference: str | None
) -> None:
    roles = settle(Columns.model_validate(said), known.split(), "a.jsonl")
    assert (roles.prompt, roles.completion, roles.reference) == (prompt, completion, reference)


@pytest.mark.parametrize(
    ("known", "said", "message"),
    [
        (
            "a b",
            {},
            r"a.jsonl: which column is the prompt\?: got 'columns a, b'. Set them, such as",
        ),
        ("text question answer", {}, "which column is the prompt, text or question"),
        ("question answer solution", {}, "which column is the completion, answer or solution.*null"),
        ("question", {"prompt": "q"}, "a.jsonl: no column 'q': got 'columns question'"),
        ("question question", {}, "several columns 'question'"),
        ("a", {"prompt": "a", "completion": "a"}, "columns: got 'a', expected names other than"),
        ("prompt answer reference", {"keep": ["reference"]}, "'reference'.*Set it as columns.reference"),
    ],
)
def test_roles_that_cannot_be_told_are_asked_for(known: str, said: dict, message: str) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        settle(Columns.model_validate(said), known.split(), "a.jsonl")


@pytest.mark.parametrize(
    ("row", "columns", "message"),
    [
        (
            {"messages": [{"role": "user"}]},
            {},
            "columns messages, and no turns in 'messages' of the first row",
        ),
        ({"prompt": {"a": 1}}, {}, "column 'prompt': got 'dict', expected text"),
        ({"prompt": "a", "answer": 3}, {}, "column 'answer': got 'int', expected text"),
    ],
)
def test_the_schema_looks_at_the_first_rows(tmp_path: Path, row: dict, columns: dict, message: str) -> None:
    path = write(tmp_path / "a.jsonl", [row] * 3)
    dataset = TextFiles.model_validate({"files": str(path), "columns": columns})
    with pytest.raises((ConfigError, DataError), match=message):
        dataset.schema()


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.csv", "pairs.parquet", "pairs.jsonl.gz"])
def test_the_schema_reads_no_more_than_the_first_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    dataset = TextFiles(files=str(write(tmp_path / name, ROWS)), columns=COLUMNS)
    monkeypatch.setattr("veriloop.datasets.text.read_table", lambda *_: pytest.fail("a file was read"))
    assert dataset.schema().made == ["highlights"]


def test_the_schema_looks_at_held_out_files(tmp_path: Path) -> None:
    path = str(write(tmp_path / "a.jsonl", ROWS))
    other = str(write(tmp_path / "b.jsonl", [{"question": "?"}]))
    for fields in ({"held_out": other}, {"validation_files": other}):
        with pytest.raises(DataError, match=r"b.jsonl: no column 'key', 'article'"):
            TextFiles.model_validate({"files": path, "columns": COLUMNS, **fields}).schema()
    with pytest.raises(DataError, match=r"no file .*nowhere"):
        TextFiles(files=path, held_out=str(tmp_path / "nowhere.jsonl")).schema()


def test_sources_are_named_as_the_user_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a-1.jsonl", ROWS[:20])
    write(tmp_path / "a-2.jsonl", ROWS[20:30])
    write(tmp_path / "b.jsonl", ROWS[30:])
    monkeypatch.setenv("VERILOOP_DATA", str(tmp_path))
    dataset = TextFiles(files="a-*.jsonl", held_out="b.jsonl", columns=COLUMNS)
    names = ("a-1.jsonl", "a-2.jsonl", "b.jsonl")
    assert dataset.sources() == {name: tmp_path / name for name in names}


@pytest.mark.parametrize(("old", "new"), [("document", "prompt"), ("summary", "completion")])
def test_old_words_are_answered_with_the_new_ones(old: str, new: str) -> None:
    with pytest.raises(ValueError, match=f"columns.{old} is now columns.{new}. Write {new}: question"):
        Columns.model_validate({old: "question"})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.jsonl",
            '{"document": "a", "summary": "b"}\n{"document": "c"}',
            r"line 2: no column 'summary': got 'columns document'",
        ),
        ("a.jsonl", '{"document": "a", "summary": "b"}\n{"document": ', r"a.jsonl, line 2: broken JSON"),
        ("a.jsonl", "\n[1]\n", r"a.jsonl, line 2.*expected a JSON object"),
        ("a.jsonl", '{"document": "a"}', r"held_out leaves no pairs"),
        ("a.jsonl", '\n{"document": "a", "summary": " "}', r"line 2: column 'summary' is empty"),
        (
            "a.jsonl",
            '{"document": 3, "summary": "a"}',
            r"line 1: column 'document': got 'int', expected text",
        ),
        ("a.jsonl", "", "no rows"),
        ("a.jsonl", b"\xff\xfe", r"cannot read .*a.jsonl"),
        ("a.jsonl.gz", b"\x1f\x8bnonsense", r"cannot read .*a.jsonl.gz"),
        ("a.csv", "document,summary\na,b\nc\n", r"a.csv, line 3: no column 'summary'"),
        ("a.csv", 'document,summary\na,"b', r"a.csv, line 2: broken CSV"),
        ("a.csv", "article\na\n", r"held_out leaves no pairs"),
        ("a.csv", "document,document,summary\na,b,c\n", r"a.csv has several columns 'document'"),
        ("a.jsonl", f'{{"document": {"9" * 5000}}}', r"line 1: broken JSON"),
        ("a.jsonl", "[" * 100_000, r"line 1: broken JSON"),
        (
            "a.jsonl",
            r'{"document": "a\ud83d", "summary": "b"}',
            r"line 1: column 'document' contains an unpaired surrogate",
        ),
        ("a.parquet", b"PAR1", r"a.parquet is not a Parquet file"),
        ("a.doc", "", r"got '.doc', expected .jsonl, .json, .csv, .parquet"),
    ],
)
def test_bad_files_are_refused_with_file_and_line(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises((DataError, ConfigError), match=message):
        TextFiles(files=str(path)).load(0)


def test_a_parquet_file_without_the_column_names_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'document', 'summary': got 'columns key, article"):
        TextFiles(
            files=str(write(tmp_path / "a.parquet", ROWS)),
            columns=Columns(prompt="document", completion="summary"),
        ).load(0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"columns": renamed(id="kind", keep=())}, "two pairs have the same id: got 'same'"),
        ({"columns": renamed(id="share")}, "line 1: column 'share': got 'float'"),
        ({"columns": Columns(keep=("id",))}, "columns.keep: got 'id'"),
        ({"columns": renamed(keep=("_row",))}, "columns.keep: got '_row'"),
        ({"columns": renamed(keep=("half",))}, "line 1: column 'half' contains an unpaired surrogate"),
        ({"files": ""}, "files ''"),
        ({"files": "**.jsonl"}, "files"),
        ({"held_out": 40}, "held_out leaves no pairs"),
        ({"held_out": 1.0}, "held_out leaves no pairs"),
        ({"start": 37}, "start set larger.*start=37.*at most 36"),
        ({"files": "nothing-*.jsonl"}, "no file nothing"),
    ],
)
def test_bad_settings_are_refused(tmp_path: Path, fields: dict, message: str) -> None:
    rows = [
        {**row, "kind": "same", "share": 0.5, "mixed": "a" if i else 1, "id": i} for i, row in enumerate(ROWS)
    ]
    rows = [{**row, "big": 2**63 + row["id"], "half": "\ud83d", "list": [1], "_row": 1} for row in rows]
    path = write(tmp_path / "a.jsonl", rows)
    with pytest.raises((ConfigError, DataError), match=message):
        TextFiles(**{"files": str(path), "columns": COLUMNS, **fields}).load(0)


def test_ids_and_numbers_keep_their_digits(tmp_path: Path) -> None:
    """NumPy takes floats for whole numbers beyond 64 bits, in which neighbours are equal."""
    rows = [{**row, "id": 2**63 + i, "n": 2**62 + i} for i, row in enumerate(ROWS)]
    columns = renamed(id="id", keep=("n",))
    data = TextFiles(files=str(write(tmp_path / "a.jsonl", rows)), columns=columns).load(0)
    assert data.validation is not None
    parts = (data.train, data.validation, data.test)
    assert {i for part in parts for i in part.texts("id")} == {str(row["id"]) for row in rows}
    kept = {n for part in parts for n in part.array("n").tolist()}
    assert kept == {row["n"] for row in rows}


def test_an_unknown_column_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="Did you mean 'prompt'"):
        Columns.model_validate({"promt": "article"})


@given(
    st.lists(st.fixed_dictionaries({"a": st.text(), "b": st.none() | st.integers() | st.text()}), max_size=5)
)
def test_json_lines_are_read_as_written(tmp_path_factory: pytest.TempPathFactory, rows: list[dict]) -> None:
    path = write(tmp_path_factory.mktemp("t") / "x.jsonl", rows)
    table = read_table(path, ["a", "b"])
    assert table.columns == {name: [row[name] for row in rows] for name in ("a", "b")}
    assert table.lines == list(range(1, len(rows) + 1))


@pytest.mark.parametrize(("size", "expected"), [(3, 3), (0, 0), (12, 12), (0.5, 5), (0.001, 1), (1.0, 10)])
def test_sizes_are_numbers_or_shares(size: float, expected: int) -> None:
    assert count(size, 10) == expected


@pytest.mark.parametrize(
    "files",
    [
        ["a.jsonl", "a.jsonl"],
        ["a.jsonl", "./a.jsonl"],
        ["a.jsonl", "ABSOLUTE"],
        ["a.jsonl", "link.jsonl"],
        ["a.jsonl", "hard.jsonl"],
        ["a.*", "[a].jsonl"],
        ["sub/../a.jsonl", "a.jsonl"],
    ],
    ids=str,
)
@pytest.mark.parametrize("held_out", [0.25, "b.jsonl", ["*.jsonl"]], ids=str)
def test_files_named_twice_are_read_once_and_held_out_rows_stay_out(files, held_out, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, rows in {"a.jsonl": range(40), "b.jsonl": range(30, 44)}.items():
        lines = (json.dumps({"prompt": f"p {i}", "completion": f"c {i}"}) for i in rows)
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.jsonl").symlink_to("a.jsonl")
    (tmp_path / "hard.jsonl").hardlink_to(tmp_path / "a.jsonl")
    files = [str(tmp_path / "a.jsonl") if name == "ABSOLUTE" else name for name in files]
    data = TextFiles(files=tuple(files), held_out=tuple(held_out) if isinstance(held_out, list) else held_out)
    if isinstance(held_out, list):
        with pytest.raises(DataError, match="every training row is also held out"):
            data.load(0)
        return
    real = data.load(0)
    assert real.validation is not None
    sides = [set(side.texts("prompt")) for side in (real.train, real.validation, real.test)]
    assert not any(a & b for a, b in itertools.combinations(sides, 2))
    assert len(real.train) == len(sides[0]) == 30
    assert (real.duplicates or {}) == ({"train": 10} if held_out == "b.jsonl" else {})


def test_a_start_set_larger_than_the_training_set_is_refused_ahead(tmp_path: Path) -> None:
    """Known from the settings alone, however large the files are."""
    dataset = TextFiles(files=str(write(tmp_path / "a.jsonl", ROWS)), columns=COLUMNS, start=21, train=20)
    with pytest.raises(ConfigError, match=r"start set larger .*: got 'start=21', expected at most 20"):
        dataset.check_ahead(dataset.schema())
