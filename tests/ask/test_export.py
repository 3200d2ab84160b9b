import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from veriloop.ask.columns import ADDED
from veriloop.ask.export import export, kept_table, prompt_table
from veriloop.cards import PromptCard
from veriloop.errors import ConfigError
from veriloop.nested import Nested
from veriloop.records import Counts, RoundRecord
from veriloop.samples import Samples
from veriloop.schema import Completion, Id, Prompt, Reference
from veriloop.store.folder import RunFolder
from veriloop.tables import first_rows, read_table


def test_parquet_holds_samples_and_where_they_come_from(image_run: RunFolder, tmp_path: Path) -> None:
    path = tmp_path / "kept.parquet"
    assert export(image_run, 2, "verified", path).rows == 100
    table = pq.read_table(path)
    kept = image_run.kept_with_provenance(2, "verified")
    assert np.array_equal(np.array(table["pixels"].to_pylist()), kept["pixels"])
    assert table["label"].to_pylist() == kept.array("label").tolist()
    assert table["score"].to_pylist() == kept.array("_score").tolist()
    first = {name: table[name][0].as_py() for name in ("round", "arm", "chunk", "row", "seed", "verifier")}
    assert first == {
        "round": 2, "arm": "verified", "chunk": 0, "row": 0, "seed": 7, "verifier": "discriminator"
    }  # fmt: skip


def test_json_lines_hold_the_same(image_run: RunFolder, tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    export(image_run, 1, "unverified", path)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows == kept_table(image_run, 1, "unverified").to_pylist()
    assert rows[0]["score"] is None
    assert rows[0]["verifier"] is None
    assert np.shape(rows[0]["pixels"]) == (8, 8)


@pytest.mark.parametrize(
    ("round_", "arm", "name", "expected"),
    [
        (9, "verified", "x.parquet", "1, 2, 3, 4, 5, 6"),
        (0, "verified", "x.parquet", "1, 2, 3, 4, 5, 6"),
        (1, "all_real", "x.parquet", "an arm that keeps samples"),
        (1, "verifed", "x.parquet", "one of verified, unverified, all_real"),
        (1, "verified", "x.csv", ".parquet or .jsonl"),
    ],
)
def test_what_cannot_be_exported(
    image_run: RunFolder, tmp_path: Path, round_: int, arm: str, name: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as error:
        export(image_run, round_, arm, tmp_path / name)
    assert expected in str(error.value)
    assert list(tmp_path.iterdir()) == []


def language_run(
    empty_run: RunFolder,
    text_round: Samples,
    template: str = "Article: {document} Summary:",
    chat: bool = False,
) -> RunFolder:
    """A run of a language model that kept two summaries."""
    manifest = empty_run.manifest()
    columns = {"id": Id(), "document": Prompt(), "summary": Completion(), "reference": Reference()}
    prompt = PromptCard(template=template, chat=chat)
    cards = manifest.cards.model_copy(update={"columns": columns, "prompt": prompt})
    empty_run.write_manifest(manifest.model_copy(update={"cards": cards}))
    place = {name: text_round[name] for name in ("_chunk", "_row", "_score")}
    kept = Samples(id=["x", "y"], document=["Ä {b}", "B"], summary=["a", "b"], reference=["c", "d"], **place)
    kept.save(empty_run.round_directory(1, "verified") / "kept.npz")
    return empty_run


def test_prompts_and_completions_make_the_text_that_was_trained_on(
    empty_run: RunFolder, text_round: Samples, tmp_path: Path
) -> None:
    path = tmp_path / "kept.jsonl"
    assert export(language_run(empty_run, text_round), 1, "verified", path, "prompt-completion").rows == 2
    first, _ = (json.loads(line) for line in path.read_text().splitlines())
    assert list(first) == ["prompt", "completion", "id", "reference", *ADDED]
    assert first["prompt"] + first["completion"] == "Article: Ä {b} Summary: a"
    assert (first["id"], first["reference"], first["round"]) == ("x", "c", 1)


def test_chat_prompts_are_messages(empty_run: RunFolder, text_round: Samples, tmp_path: Path) -> None:
    folder = language_run(empty_run, text_round, template="{document}", chat=True)
    export(folder, 1, "verified", tmp_path / "kept.parquet", "prompt-completion")
    row = pq.read_table(tmp_path / "kept.parquet").to_pylist()[1]
    assert row["prompt"] == [{"role": "user", "content": "B"}]
    assert row["completion"] == [{"role": "assistant", "content": "b"}]


def test_images_have_no_prompts(image_run: RunFolder) -> None:
    with pytest.raises(ConfigError, match="no prompts"):
        prompt_table(image_run, 1, "verified")


@pytest.fixture
def text_round(empty_run: RunFolder) -> Samples:
    """Two kept texts; the run counts their round, but holds no file of them yet."""
    counts = Counts(generated=2, accepted=2, kept=2)
    record = RoundRecord(arm="verified", round=1, counts=counts, trained_on=2, metrics={}, seconds={})
    empty_run.commit(record, empty_run.work_directory(1, "verified"))
    chunk, row = np.zeros(2, np.int32), np.arange(2, dtype=np.int32)
    return Samples(text=["ä", ""], _chunk=chunk, _row=row, _score=np.ones(2))


def test_text_columns(empty_run: RunFolder, text_round: Samples) -> None:
    text_round.save(empty_run.round_directory(1, "verified") / "kept.npz")
    assert kept_table(empty_run, 1, "verified")["text"].to_pylist() == ["ä", ""]


def test_a_column_with_a_name_that_is_added_keeps_both(empty_run: RunFolder, text_round: Samples) -> None:
    clash = text_round.with_columns(seed=np.arange(5, 7))
    clash.save(empty_run.round_directory(1, "verified") / "kept.npz")
    table = kept_table(empty_run, 1, "verified")
    assert table["data_seed"].to_pylist() == [5, 6]
    assert table["seed"].to_pylist() == [empty_run.manifest().seed] * 2


def test_samples_that_were_exported_before_lose_no_column(empty_run: RunFolder, text_round: Samples) -> None:
    before = {
        "seed": ["1", "2"],
        "data_seed": ["3", "4"],
        "reason": ["5", "6"],
        "verifier_reason": ["7", "8"],
    }
    clash = text_round.with_columns(
        **before, truncated=["9", "0"], _cut=np.array([True, False]), _reason=["u", "v"]
    )
    clash.save(empty_run.round_directory(1, "verified") / "kept.npz")
    row = kept_table(empty_run, 1, "verified").to_pylist()[0]
    assert (row["data_seed"], row["data_data_seed"], row["seed"]) == ("1", "3", empty_run.manifest().seed)
    assert (row["reason"], row["verifier_reason"], row["verifier_verifier_reason"]) == ("5", "7", "u")
    assert (row["data_truncated"], row["truncated"]) == ("9", True)


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_nested_values_are_read_back_as_they_were(
    empty_run: RunFolder, text_round: Samples, tmp_path: Path, ending: str
) -> None:
    values = [{"a": [1, "x", {"k": None}], "f": 1.0}, {"a": []}]
    clash = text_round.with_columns(info=Nested.of(values), text=['{"no": 1}', "  \u2028"])
    clash.save(empty_run.round_directory(1, "verified") / "kept.npz")
    path = tmp_path / f"kept.{ending}"
    export(empty_run, 1, "verified", path)
    again = read_table(path, ["info", "text"])
    assert again.columns == {"info": values, "text": ['{"no": 1}', "  \u2028"]}
    assert [row["info"] for _, row in first_rows(path).rows] == values


def test_what_was_written_is_the_completion_whatever_other_columns_are_called(
    empty_run: RunFolder, text_round: Samples
) -> None:
    folder = language_run(empty_run, text_round, template="{document} of {score}:")
    path = folder.round_directory(1, "verified") / "kept.npz"
    columns = {"prompt": ["p", "q"], "completion": ["r", "s"], "score": ["1", "2"]}
    Samples.load(path).with_columns(**columns, summary=["a", ""]).save(path)
    rows = prompt_table(folder, 1, "verified").to_pylist()
    assert [row["prompt"] for row in rows] == ["Ä {b} of 1:", "B of 2:"]
    assert [row["completion"] for row in rows] == [" a", ""], "an empty one is trained on as nothing"
    assert [row["data_prompt"] for row in rows] == ["p", "q"]
    assert [row["data_completion"] for row in rows] == ["r", "s"]
    assert [row["score"] for row in rows] == [1, 1], "the verifier's, not the data's"
