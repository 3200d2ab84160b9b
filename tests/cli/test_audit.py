import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from veriloop.datasets.digits import Digits

Call = Callable[..., Any]
KEYS = {
    "acceptance_rate",
    "contraction",
    "knowledge_center",
    "bias",
    "trajectory",
    "gain_one_round",
    "best_round",
    "regime",
    "verdict",
    "n_generated",
    "n_accepted",
}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """A judge that likes what is near (0.5, 0), and abstains now and then."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3_000, 2))
    score = -np.square(x - [0.5, 0]).sum(axis=1)
    return pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "accepted": score > -1.5, "score": score})


@pytest.fixture(scope="module")
def folder(rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rows, and real ones around (1, 0), as files of every kind."""
    path = tmp_path_factory.mktemp("tables")
    real = pd.DataFrame(np.random.default_rng(1).standard_normal((500, 2)) + [1, 0], columns=["a", "b"])
    for name, table in (("generated", rows), ("real", real)):
        table.to_csv(path / f"{name}.csv", index=False)
        table.to_json(path / f"{name}.jsonl", orient="records", lines=True, double_precision=15)
        table.to_parquet(path / f"{name}.parquet")
        arrays = {"x": table[["a", "b"]].to_numpy(), **{c: table[c].to_numpy() for c in table}}
        np.savez(path / f"{name}.npz", allow_pickle=False, **arrays)
        np.savez_compressed(path / f"{name}-packed.npz", allow_pickle=False, **arrays)
    return path


def found(veriloop: Call, folder: Path, kind: str, *arguments: object) -> dict[str, Any]:
    real = folder / f"real{kind}"
    called = veriloop(
        "audit", folder / f"generated{kind}", "--real", real, "--accepted", "accepted", *arguments, "--json"
    )
    assert called.code == 0, called.err
    return json.loads(called.out)


def test_every_kind_of_table_gives_the_same_answer(veriloop: Call, folder: Path, rows: pd.DataFrame) -> None:
    whole = found(veriloop, folder, ".csv", "--features", "a,b")
    assert whole.keys() >= KEYS
    accepted = rows.loc[rows["accepted"], ["a", "b"]]
    assert whole["acceptance_rate"] == len(accepted) / len(rows)
    assert (whole["n_generated"], whole["n_accepted"]) == (len(rows), len(accepted))
    np.testing.assert_allclose(whole["trajectory"][0]["mean"], accepted.mean(), rtol=1e-9)
    assert whole["regime"]["value"] == "gain_then_plateau"
    assert whole["regime"]["probability"] > 0.7
    assert whole["models"].keys() == {"location", "refit", "resample"}
    center, bias = whole["knowledge_center"], whole["bias"]
    np.testing.assert_allclose(center["value"], [0.5, 0], atol=0.15)
    assert all(
        low < value < high
        for low, value, high in zip(center["low"], center["value"], center["high"], strict=True)
    )
    assert bias["norm"]["low"] < bias["norm"]["value"] < bias["norm"]["high"]
    for kind, arguments in (
        (".jsonl", ("--features", "a,b")),
        (".parquet", ("--features", "a,b")),
        (".npz", ("--array", "x")),
        ("-packed.npz", ("--array", "x")),
    ):
        other = found(veriloop, folder, kind, *arguments)
        np.testing.assert_allclose(other["knowledge_center"]["high"], center["high"], rtol=1e-6)
        assert other["verdict"] == whole["verdict"]


def test_the_best_share_by_score(veriloop: Call, folder: Path, rows: pd.DataFrame, tmp_path: Path) -> None:
    both = (("q", "score"), ("linear", "a"))
    for name, score in both:
        accepted = rows[score] > rows[score].quantile(0.8)
        rows.assign(accepted=accepted).to_csv(tmp_path / f"{name}.csv")
    answers = {}
    for name, score in both:
        called = veriloop(
            "audit", tmp_path / f"{name}.csv", "--real", folder / "real.csv", "--accepted", "accepted",
            "--features", "a,b", "--score", score, "--rule", "top_fraction", "--generator", "location",
            "--json",
        )  # fmt: skip
        answers[name] = json.loads(called.out)
    np.testing.assert_allclose(answers["q"]["knowledge_center"]["value"], [0.5, 0], atol=0.2)
    assert answers["linear"]["regime"]["value"] == "divergent"
    assert answers["linear"]["models"].keys() == {"location"}
    assert answers["linear"]["knowledge_center"] is None
    assert answers["linear"]["bias"] is None


def test_words_and_abstentions(veriloop: Call, folder: Path, rows: pd.DataFrame, tmp_path: Path) -> None:
    said = rows["accepted"].map({True: "yes", False: "no"}).where(np.arange(len(rows)) % 10 > 0, "abstain")
    rows.assign(accepted=said).to_csv(tmp_path / "generated.csv", index=False)
    called = veriloop(
        "audit", tmp_path / "generated.csv", "--real", folder / "real.csv", "--accepted", "accepted",
        "--features", "a,b",
    )  # fmt: skip
    assert called.code == 0, called.err
    assert f"{(said == 'yes').sum():,} of 3,000" in called.out
    assert "strongest pull: a (+" in called.out
    assert "Helps for about" in called.out


def test_texts(veriloop: Call, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    topics = [["sun", "sea", "sand", "beach", "wave"], ["code", "bug", "test", "loop", "array"]]

    def write(share: float, n: int) -> list[str]:
        return [" ".join(rng.choice(topics[int(t)], 8)) for t in rng.random(n) < share]

    generated, real = write(0.5, 600), write(0.8, 200)
    accepted = [bool("bug" in text.split() or rng.random() < 0.2) for text in generated]
    pd.DataFrame({"text": generated, "ok": accepted}).to_json(
        tmp_path / "g.jsonl", orient="records", lines=True
    )
    pd.DataFrame({"text": real}).to_json(tmp_path / "r.jsonl", orient="records", lines=True)
    arguments = (tmp_path / "g.jsonl", "--real", tmp_path / "r.jsonl", "--accepted", "ok", "--text", "text")
    called = veriloop("audit", *arguments)
    assert called.code == 0, called.err
    wanted = [line for line in called.out.splitlines() if line.startswith("wanted, row")]
    assert wanted
    assert all("bug" in line for line in wanted)
    assert json.loads(veriloop("audit", *arguments, "--json").out)["gain_one_round"]["value"] > 0


def test_images(veriloop: Call, tmp_path: Path) -> None:
    """Digits, and a judge that wants bright ones: as arrays, and as columns of lists."""
    images = Digits().load(0).train.array("pixels")
    ink = images.mean(axis=(1, 2))
    accepted = ink > np.quantile(ink, 0.6)
    generated, real = {"image": images, "ok": accepted}, {"image": images[::3]}
    for name, arrays in (("g", generated), ("r", real)):
        np.savez(tmp_path / f"{name}.npz", allow_pickle=False, **arrays)
        columns = {key: array.tolist() for key, array in arrays.items()}
        pd.DataFrame(columns).to_json(tmp_path / f"{name}.jsonl", orient="records", lines=True)
    for embedding in ("pixels", "classifier:digits"):
        answers = []
        for kind in ("npz", "jsonl"):
            called = veriloop(
                "audit", tmp_path / f"g.{kind}", "--real", tmp_path / f"r.{kind}", "--accepted", "ok",
                "--image", "image", "--embedding", embedding, "--json",
            )  # fmt: skip
            assert called.code == 0, called.err
            answers.append(json.loads(called.out))
        assert answers[0] == answers[1]
        assert answers[0]["gain_one_round"]["value"] < 0, "the real ones are as bright as the generated"


def test_the_guides_example(veriloop: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line of the example in the guide is what the command prints."""
    project = Path(__file__).parents[2]
    guide = (project / "docs" / "guide" / "will-my-verifier-help.md").read_text()
    block = guide.split("$ veriloop audit example/")[1].split("```")[0]
    arguments, *lines = block.splitlines()
    subprocess.run([sys.executable, project / "tools" / "audit_example.py", tmp_path / "example"], check=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    called = veriloop("audit", *f"example/{arguments}".split())
    assert called.code == 0, called.err
    printed = " ".join(called.out.split())
    for line in lines:
        assert line == "..." or " ".join(line.split()) in printed, line


def test_texts_that_share_no_words_are_refused(veriloop: Call, tmp_path: Path) -> None:
    kinds = ["red", "green", "blue", "black", "white", "grey"]
    texts = [f"{kinds[i % 6]} number {1000 + i}" for i in range(216)]
    assert len(set(texts)) == 216
    pd.DataFrame({"text": texts, "ok": [t.startswith("g") for t in texts]}).to_json(
        tmp_path / "g.jsonl", orient="records", lines=True
    )
    arguments = ("--real", tmp_path / "g.jsonl", "--accepted", "ok", "--text", "text")
    _refused(veriloop("audit", tmp_path / "g.jsonl", *arguments), "short texts that share hardly any words")


def test_copies_are_counted_in_the_texts_and_not_in_their_vectors(veriloop: Call, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    words = ["sun", "sea", "sand", "beach", "wave", "code", "bug", "test"]
    texts = sorted({" ".join(rng.permutation(words)[:4]) for _ in range(160)})
    pd.DataFrame({"text": texts, "ok": ["sun" in t.split() for t in texts]}).to_json(
        tmp_path / "g.jsonl", orient="records", lines=True
    )
    arguments = ("--real", tmp_path / "g.jsonl", "--accepted", "ok", "--text", "text", "--json")
    called = veriloop("audit", tmp_path / "g.jsonl", *arguments)
    # The same words in another order are the same vector, and no copy.
    assert called.code == 0, called.err
    assert len({frozenset(t.split()) for t in texts}) < 0.6 * len(texts)
    assert "repeat another" not in called.out


def test_one_generator_is_followed_when_it_is_named(
    veriloop: Call, folder: Path, tiny_run: Path, tmp_path: Path
) -> None:
    one = found(veriloop, folder, ".csv", "--features", "a,b", "--generator", "refit")
    assert one["models"].keys() == {"refit"}
    shutil.copytree(tiny_run, tmp_path / "run")
    called = veriloop("audit", tmp_path / "run", "--generator", "resample", "--json")
    assert called.code == 0, called.err
    assert json.loads(called.out)["models"].keys() == {"resample"}
    assert veriloop("audit", tiny_run, "--generator", "guess").code == 2


def test_a_run(veriloop: Call, tiny_run: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    called = veriloop("audit", tmp_path / "run", "--round", 2)
    assert called.code == 0, called.err
    assert "verified, round 2" in called.out
    (path,) = (tmp_path / "run" / "audits").iterdir()
    assert path.name == "verified-round_2.json"
    printed = json.loads(veriloop("audit", tmp_path / "run", "--arm", "verified", "--json").out)
    assert (
        printed == json.loads((tmp_path / "run" / "audits" / "verified-round_3.json").read_bytes())["audit"]
    )
    assert printed["n_accepted"] == 60


RUN_MISTAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "no such arm": (("--arm", "verfied"), "got 'verfied'"),
    "no verifier": (("--arm", "unverified"), "has no verifier"),
    "no such round": (("--round", "9"), "expected one of 1, 2, 3"),
    "options of tables": (("--text", "a", "--rule", "fixed"), "got '--text, --rule'"),
}


@pytest.mark.parametrize("name", RUN_MISTAKES)
def test_mistakes_about_runs(name: str, veriloop: Call, tiny_run: Path) -> None:
    arguments, fragment = RUN_MISTAKES[name]
    _refused(veriloop("audit", tiny_run, *arguments), fragment)
    assert not (tiny_run / "audits").exists()


def test_a_folder_without_a_run_and_a_table_without_its_columns(
    veriloop: Call, folder: Path, tmp_path: Path
) -> None:
    _refused(veriloop("audit", tmp_path), "this folder does not contain a run")
    _refused(veriloop("audit", folder / "generated.csv", "--features", "a"), "--real and --accepted")
    _refused(veriloop("audit", folder / "generated.csv", "--round", 2), "got '--round', expected options")


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl"])
def test_categories_are_features(veriloop: Call, rows: pd.DataFrame, tmp_path: Path, ending: str) -> None:
    """A verifier that likes one city pulls at it, by as much as it is commoner among what it accepts."""
    rng = np.random.default_rng(0)
    city = rng.choice(["north", "south", "NA"], len(rows), p=[0.5, 0.3, 0.2])
    accepted = rng.random(len(rows)) < np.where(city == "south", 0.8, 0.2)
    made = pd.DataFrame({"a": rows["a"], "city": city, "member": rng.random(len(rows)) < 0.5})
    real = made.sample(frac=0.5, random_state=0)
    for name, table in (("made", made.assign(accepted=accepted)), ("real", real)):
        path = tmp_path / f"{name}{ending}"
        match ending:
            case ".csv":
                table.to_csv(path, index=False)
            case ".parquet":
                table.to_parquet(path)
            case _:
                table.to_json(path, orient="records", lines=True)
    files = (tmp_path / f"made{ending}", "--real", tmp_path / f"real{ending}")
    options = ("--accepted", "accepted", "--features", "a,city,member")
    said = veriloop("audit", *files, *options)
    assert said.code == 0, said.err
    south = city == "south"
    pull = (south[accepted].mean() - south.mean()) / south.std()
    assert f"strongest pull: city=south ({pull:+.2f} sd)" in said.out
    assert "city=north" not in said.out, "the commonest value is where the others are 0"
    assert "member=" in said.out


def test_a_column_of_names_and_one_of_two_kinds_are_no_categories(veriloop: Call, tmp_path: Path) -> None:
    n = 80
    made = pd.DataFrame({"name": [f"n{i}" for i in range(n)], "k": ["a"] * n, "ok": [0, 1] * (n // 2)})
    made.assign(mixed=["x"] * n).to_csv(tmp_path / "made.csv", index=False)
    made.assign(mixed=range(n)).to_csv(tmp_path / "real.csv", index=False)
    files = (tmp_path / "made.csv", "--real", tmp_path / "real.csv", "--accepted", "ok", "--features")
    _refused(veriloop("audit", *files, "name"), "at most 50 as a category")
    _refused(veriloop("audit", *files, "k"), "column 'k' is the same in all rows")
    _refused(veriloop("audit", *files, "mixed"), "numbers alone, or texts or truth values alone")


MISTAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing to audit in": ((), "one of --features, --array, --text and --image"),
    "two things": (("--features", "a,b", "--text", "a"), "one of --features, --array, --text and --image"),
    "no such column": (("--features", "a,c"), "no column 'c'"),
    "a column twice": (("--features", "a,b,a"), "--features: got 'a', expected names of different columns"),
    "no name": (("--features", "a,,b"), "--features: got '', expected names of different columns"),
    "no score": (("--features", "a,b", "--rule", "top_fraction"), "no --score"),
    "scores that did not decide": (
        ("--features", "a,b", "--rule", "top_fraction", "--score", "a"),
        "score higher than an accepted one",
    ),
    "an array of a csv file": (("--array", "x"), "cannot be read"),
    "numbers as texts": (("--text", "a"), "texts without words to tell them apart"),
    "numbers as images": (("--image", "a"), "column 'a': no images"),
    "an embedding of numbers": (("--features", "a,b", "--embedding", "pixels"), "with --text or --image"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_end_in_one_line(name: str, veriloop: Call, folder: Path) -> None:
    arguments, fragment = MISTAKES[name]
    generated, real = folder / "generated.csv", folder / "real.csv"
    _refused(
        veriloop("audit", generated, "--real", real, "--accepted", "accepted", *arguments, "--json"), fragment
    )


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "none accepted": ({"accepted": False}, "too few accepted rows"),
    "all accepted": ({"accepted": True}, "every judged row was accepted"),
    "a constant feature": ({"b": 1.0}, "the same in all generated rows"),
    "a gap": ({"a": [np.nan] + [0.0, 1.0] * 1_499 + [0.5]}, "row 1, feature a"),
    "words as numbers": ({"a": "far"}, "column 'a'"),
    "not yes or no": ({"accepted": 0.5}, "accepted, row 1"),
    "odd words": ({"accepted": "perhaps"}, "perhaps"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_tables_without_an_answer(
    name: str, veriloop: Call, folder: Path, rows: pd.DataFrame, tmp_path: Path
) -> None:
    change, fragment = CHANGES[name]
    rows.assign(**change).to_csv(tmp_path / "generated.csv", index=False)
    arguments = ("--real", folder / "real.csv", "--accepted", "accepted", "--features", "a,b", "--json")
    _refused(veriloop("audit", tmp_path / "generated.csv", *arguments), fragment)


def test_arrays_of_other_widths_and_copies(
    veriloop: Call, folder: Path, rows: pd.DataFrame, tmp_path: Path
) -> None:
    x, accepted = rows[["a", "b"]].to_numpy(), rows["accepted"].to_numpy()
    twice = {"x": np.tile(x, (2, 1)), "accepted": np.tile(accepted, 2)}
    np.savez(tmp_path / "twice.npz", allow_pickle=False, **twice)
    np.savez(tmp_path / "narrow.npz", allow_pickle=False, x=x[:, :1])
    np.savez(tmp_path / "stack.npz", allow_pickle=False, x=x[:, None], accepted=accepted)
    arguments = ("--accepted", "accepted", "--array", "x")
    called = veriloop("audit", tmp_path / "twice.npz", "--real", folder / "real.npz", *arguments)
    assert called.code == 0, called.err
    assert "note: 50% of the generated rows repeat another one" in called.out
    for generated, real, fragment in (
        (tmp_path / "twice.npz", tmp_path / "narrow.npz", "got '1 features', expected 2"),
        (tmp_path / "stack.npz", folder / "real.npz", "got 'shape 3000 x 1 x 2', expected rows x features"),
    ):
        _refused(veriloop("audit", generated, "--real", real, *arguments), fragment)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut short", b"no archive at all"])
def test_damaged_arrays(content: bytes | None, veriloop: Call, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.npz"
    if content is not None:
        path.write_bytes(content)
    arguments = ("--real", folder / "real.npz", "--accepted", "accepted", "--array", "x")
    _refused(veriloop("audit", path, *arguments), "damaged.npz")
    _refused(veriloop("audit", folder / "generated.npz", *arguments[:-1], "nothing"), "got 'nothing'")


def _refused(called: Any, fragment: str) -> None:
    assert called.code == 2, called.out
    assert called.err.startswith("error: ")
    assert len(called.err.strip().splitlines()) == 1
    assert fragment in called.err
