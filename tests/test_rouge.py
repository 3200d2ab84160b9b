import gzip
import json
import os
from itertools import islice
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop import rouge
from veriloop.errors import DataError, MissingExtraError
from veriloop.rouge import Measure, f1, token_pairs, tokens
from veriloop.samples import Samples

MEASURES = get_args(Measure)
WORDS = (
    "the",
    "cats",
    "sat",
    "on",
    "mat",
    "running",
    "runs",
    "skies",
    "dying",
    "it's",
    "U.K.",
    "naïve",
    "£5",
    "\n",
)
# Few different words, so that texts share some; and whatever else there may be in a text.
texts = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from(WORDS)).map(" ".join),
)


def theirs(stem: bool):
    scorer = pytest.importorskip("rouge_score.rouge_scorer")
    return scorer.RougeScorer(MEASURES, use_stemmer=stem)


@pytest.fixture(scope="module")
def scorers():
    return {stem: theirs(stem) for stem in (False, True)}


@pytest.mark.parametrize("stem", [False, True])
@given(written=texts, reference=texts)
def test_scores_are_those_of_rouge_score(scorers, stem, written, reference):
    expected = scorers[stem].score(reference, written)
    for measure in MEASURES:
        pair = (tokens(text, stem, "published") for text in (written, reference))
        assert f1(measure, *pair) == expected[measure].fmeasure


@pytest.mark.slow
def test_and_on_two_thousand_real_pairs(scorers):
    root = os.environ.get("VERILOOP_DATA")
    path = Path(root or "") / "xsum" / "train.jsonl.gz"
    if not path.is_file():
        pytest.skip("needs VERILOOP_DATA/xsum")
    with gzip.open(path, "rt") as file:
        rows = [json.loads(line) for line in islice(file, 2000)]
    assert len(rows) == 2000
    differ = 0
    for row in rows:
        written = " ".join(row["document"].split()[:25])
        expected = scorers[True].score(row["summary"], written)
        pair = tokens(written), tokens(row["summary"])
        differ += any(f1(measure, *pair) != expected[measure].fmeasure for measure in MEASURES)
    assert differ == 0


def test_by_hand():
    written, reference = tokens("The cat sat.", stem=False), tokens("the cat never sat there", stem=False)
    assert written == ["the", "cat", "sat"]
    assert f1("rouge1", written, reference) == pytest.approx(2 * 3 / (3 + 5))
    assert f1("rouge2", written, reference) == pytest.approx(2 * 1 / (2 + 4))
    assert f1("rougeL", written, reference) == pytest.approx(2 * 3 / (3 + 5))
    assert f1("rougeL", written[::-1], reference) == pytest.approx(2 * 1 / (3 + 5))


@pytest.mark.parametrize("measure", MEASURES)
def test_without_words_the_score_is_zero(measure):
    assert f1(measure, [], []) == f1(measure, ["a"], []) == f1(measure, [], ["a"]) == 0


def test_the_missing_extra_is_named(monkeypatch):
    from veriloop import rouge

    monkeypatch.setitem(__import__("sys").modules, "nltk.stem.porter", None)
    rouge._porter.cache_clear()
    with pytest.raises(MissingExtraError, match=r"veriloop\[llm\]"):
        tokens("unheardofwords")
    rouge._porter.cache_clear()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("猫在椅子上睡觉", list("猫在椅子上睡觉")),
        ("2024年の白い猫", ["2024", *"年の白い猫"]),
        ("แมวนอน", ["แ", "ม", "ว", "น", "อ", "น"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("القطة تنام", ["القطة", "تنام"]),
        ("η γάτα κοιμάται", ["η", "γάτα", "κοιμάται"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("Кошка спит.", ["кошка", "спит"]),
    ],
)
def test_every_script_has_words(text: str, words: list[str]) -> None:
    assert tokens(text) == words
    assert f1("rouge1", tokens(text), tokens(text)) == 1
    assert tokens(text, tokenizer="published") == [w for w in words if w.isascii()]


@pytest.mark.parametrize("text", ["Naïve café owners", "It costs 5 €", "words", "", "!?", "Zoë's façade"])
def test_latin_texts_keep_the_published_words(text: str) -> None:
    assert tokens(text) == tokens(text, tokenizer="published")


def test_a_pair_is_read_by_its_reference() -> None:
    pairs = Samples(written=["cats sleep", "猫睡觉"], reference=["猫睡觉", "猫睡觉"])
    (a, b), (c, d) = token_pairs(pairs, "written", "reference", True)
    assert (f1("rouge1", a, b), f1("rouge1", c, d)) == (0, 1)


@pytest.mark.parametrize("text", ["今天天气很好", "η γάτα κοιμάται", "الولد يقرأ كتابا"])
def test_references_without_a_token_are_refused(text: str) -> None:
    references = Samples(reference=[text] * 3 + ["one in English"])
    with pytest.raises(DataError, match=r"3 of 4 references .* have no tokens.*Set tokenizer to unicode"):
        rouge.check_tokens(references, "reference", "published")
    for tokenizer in ("auto", "unicode"):
        rouge.check_tokens(references, "reference", tokenizer)
    with pytest.raises(DataError, match="have no tokens"):
        rouge.check_tokens(Samples(reference=["!", "?", ""]), "reference", "auto")
    rouge.check_tokens(Samples(reference=[text, "in English"]), "reference", "published")


def test_a_named_tokenizer_is_used_for_both_texts() -> None:
    pair = Samples(completion=["今天 good"], reference=["今天 good day"])
    (published,) = rouge.token_pairs(pair, "completion", "reference", False, "published")
    (unicode,) = rouge.token_pairs(pair, "completion", "reference", False, "unicode")
    assert published == (["good"], ["good", "day"])
    assert unicode == (["今", "天", "good"], ["今", "天", "good", "day"])
