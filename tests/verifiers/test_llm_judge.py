import asyncio
import base64
import io
import json
import math
import pickle
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from veriloop.errors import ConfigError, CorruptFileError, DataError
from veriloop.samples import Samples
from veriloop.schema import Image as Images
from veriloop.schema import Label, Schema
from veriloop.testing import check_verifier
from veriloop.testing.tiny import TinyData, TinyGenerator
from veriloop.verdicts import Decision, Verdicts
from veriloop.verifiers.llm_judge import LLMJudge

from ..patience import HOUR

NOBODY = TinyGenerator(np.zeros((3, 2)), np.ones((3, 2)))
QUICK: dict[str, Any] = {"model": "m", "rubric": "{{ text }}", "timeout": HOUR, "backoff": 0.01}


def judge(server: Any, **fields: Any) -> LLMJudge:
    return LLMJudge(url=f"{server.url}/v1", **{**QUICK, **fields})


def verify(judge: LLMJudge, *texts: str) -> Verdicts:
    return judge.verify(Samples(text=list(texts)), np.random.default_rng(0))


def only(verdicts: Verdicts) -> tuple[float, Decision, str]:
    assert verdicts.reason is not None
    return float(verdicts.score[0]), Decision(verdicts.decision[0]), verdicts.reason[0]


def fair(text: str) -> float:
    return zlib.crc32(text.encode()) % 101 / 100


def test_keeps_the_contract(serve: Any, tmp_path: Path) -> None:
    generator = TinyGenerator(np.zeros((3, 2)), np.ones((3, 2)))
    data = TinyData().load(0)
    asked = judge(serve(), rubric="Point {{ x }} of class {{ label }}?", cache=tmp_path / "cache.sqlite")
    check_verifier(asked, generator, data.train, data.conditions)


def test_a_thousand_samples_against_a_misbehaving_server(serve: Any, tmp_path: Path) -> None:
    server = serve()
    kinds = [
        "",
        "slow",
        "429 once",
        "500 once",
        "cut once",
        "envelope once",
        "malformed",
        "schema",
        "refusal",
        "400",
    ]
    texts = [f"sample {i} [{kinds[i % 10]}]" for i in range(1_000)]
    patient = judge(server, concurrency=32, cache=tmp_path / "cache.sqlite")
    verdicts = verify(patient, *texts)
    assert len(verdicts) == 1_000
    assert verdicts.reason is not None
    spoilt = {
        "malformed": "no JSON",
        "schema": "expected a number",
        "refusal": "I cannot help",
        "400": "status 400",
    }
    for text, score, decision, reason in zip(
        texts, verdicts.score, verdicts.decision, verdicts.reason, strict=True
    ):
        kind = text.partition("[")[2].rstrip("]")
        if kind in spoilt:
            assert decision == Decision.ABSTAIN
            assert math.isnan(score)
            assert spoilt[kind] in reason or "expected score" in reason
        else:
            assert decision == Decision.OPEN
            assert score == fair(text)
    assert all(server.asked[text] == (2 if "once" in text else 1) for text in texts)
    assert server.most_at_once <= 32

    before = len(server.bodies)
    kept = [text for text in texts if "400" not in text]
    again = verify(patient, *kept)
    assert len(server.bodies) == before, "a second run asks nothing"
    rows = [i for i, text in enumerate(texts) if "400" not in text]
    assert np.array_equal(again.score, verdicts.score[rows], equal_nan=True)
    assert again.reason == [verdicts.reason[i] for i in rows]


PERSISTENT = {
    "hang": "no reply within 0.5 s, tried 3 times",
    "cut": "the connection broke",
    "429": 'status 429: {"error": {"message": "slow down"}}, tried 3 times',
    "500": "status 500",
    "envelope": "the reply cannot be read",
}


@pytest.mark.parametrize("kind", PERSISTENT)
def test_what_fails_for_good_is_an_abstention_with_its_reason(kind: str, serve: Any, tmp_path: Path) -> None:
    server = serve()
    asked = judge(server, retries=2, timeout=0.5 if kind == "hang" else HOUR, cache=tmp_path / "cache")
    text = f"x [{kind}]"
    score, decision, reason = only(verify(asked, text))
    assert math.isnan(score)
    assert decision == Decision.ABSTAIN
    assert PERSISTENT[kind] in reason
    assert server.asked[text] == 3
    verify(asked, text)
    assert server.asked[text] == 6, "an outage is no verdict: the next run asks again"


def test_a_server_that_asks_for_too_long_a_wait_is_given_up(serve: Any) -> None:
    server = serve()
    _, decision, reason = only(verify(judge(server, longest_wait=0.01), "x [429]"))
    assert decision == Decision.ABSTAIN
    assert "asked to wait" in reason
    assert server.asked["x [429]"] == 1


def test_a_wrong_key_ends_the_run_and_is_not_shown(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve()
    monkeypatch.setenv("SOME_KEY", "secret-key")
    keyed = judge(server, key_variable="SOME_KEY")
    with pytest.raises(ConfigError, match="status 401") as caught:
        verify(keyed, "x [401]")
    assert server.authorization == "Bearer secret-key"
    assert "secret-key" not in str(caught.value)
    assert "secret-key" not in keyed.model_dump_json()
    _, _, reason = only(verify(keyed.model_copy(update={"retries": 0}), "x [500]"))
    assert "secret-key" not in reason
    monkeypatch.delenv("SOME_KEY")
    with pytest.raises(ConfigError, match="SOME_KEY"):
        verify(keyed, "x")


def test_nobody_there(serve: Any) -> None:
    server = serve()
    gone = judge(server, retries=1)
    server.__exit__()
    with pytest.raises(ConfigError, match="no connection to http://127"):
        verify(gone, "x", "y")


def test_an_event_loop_that_runs_already_is_no_hindrance(serve: Any, tmp_path: Path) -> None:
    asked = judge(serve(), cache=tmp_path / "cache")

    async def notebook() -> Verdicts:
        return verify(asked, "x")

    assert asyncio.run(notebook()).score == [fair("x")]


# -- votes -------------------------------------------------------------------------------------------------

VOTES: dict[str, Any] = {"votes": 3, "temperature": 0.7, "concurrency": 1}


def test_the_score_is_the_mean_of_the_votes(serve: Any) -> None:
    server = serve(decide=lambda text, try_: {"reason": f"vote {try_}", "score": try_ / 10})
    score, decision, reason = only(verify(judge(server, **VOTES), "x"))
    assert score == pytest.approx(0.2)
    assert decision == Decision.OPEN
    assert reason == "3 of 3 votes: vote 1"


SAID = {
    "accept accept reject": (2 / 3, Decision.ACCEPT, "2 of 3 votes"),
    "reject accept reject": (1 / 3, Decision.REJECT, "2 of 3 votes"),
    "abstain accept abstain": (1.0, Decision.ACCEPT, "1 of 3 votes"),
    "accept reject abstain": (0.5, Decision.ABSTAIN, "1 votes to accept and equally many"),
    "abstain abstain abstain": (math.nan, Decision.ABSTAIN, "all 3 votes abstain"),
    "ACCEPT Reject, perhaps": (1.0, Decision.ACCEPT, "1 of 3 votes"),
}


@pytest.mark.parametrize("said", SAID)
def test_the_decision_is_the_majority(said: str, serve: Any) -> None:
    words = said.split()
    server = serve(decide=lambda text, try_: {"reason": "so", "decision": words[try_ - 1]})
    score, decision, reason = only(verify(judge(server, asks="decision", **VOTES), "x"))
    expected_score, expected, fragment = SAID[said]
    assert score == pytest.approx(expected_score, nan_ok=True)
    assert decision == expected
    assert fragment in reason


def test_both(serve: Any) -> None:
    server = serve(decide=lambda text, try_: {"reason": "so", "decision": "accept", "score": 7})
    assert only(verify(judge(server, asks="both", scale=(0, 10)), "x")) == (7.0, Decision.ACCEPT, "so")
    _, decision, reason = only(verify(judge(server, asks="both"), "x"))
    assert decision == Decision.ABSTAIN
    assert "expected a number in 0..1" in reason


# -- what is asked -------------------------------------------------------------------------------------------


def test_the_request_names_model_rubric_and_schema(serve: Any) -> None:
    server = serve()
    verify(
        judge(server, rubric="Is {{ text }} good? {% raw %}{{ }}{% endraw %}", max_tokens=99), "<b>this</b>"
    )
    (body,) = server.bodies
    assert body["model"] == "m"
    assert body["messages"] == [{"role": "user", "content": "Is <b>this</b> good? {{ }}"}]
    assert (body["temperature"], body["max_tokens"]) == (0.0, 99)
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["reason", "score"]
    assert schema["properties"]["score"]["maximum"] == 1


def test_the_text_of_a_sample_is_no_template(serve: Any) -> None:
    server = serve()
    verify(judge(server), "{{ 7 * 7 }}{% for %}")
    assert list(server.asked) == ["{{ 7 * 7 }}{% for %}"]


@pytest.mark.parametrize(
    "rubric",
    [
        "{{ text.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ text|attr('__class__') }}",
        "{% for i in range(10**9) %}x{% endfor %}{{ text }}",
        "{{ tags.append(1) }}",
        "{{ 1 // 0 }}{{ text }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    ],
)
def test_a_rubric_reaches_nothing_but_the_sample(rubric: str, serve: Any) -> None:
    server = serve()
    with pytest.raises(DataError, match="the rubric does not fit the samples") as caught:
        judge(server, rubric=rubric).verify(Samples(text=["x"], tags=np.array([1])), np.random.default_rng(0))
    assert "\n" not in str(caught.value)
    assert not server.bodies


def test_images_are_shown_as_png(serve: Any) -> None:
    server = serve()
    pixels = np.arange(2 * 8 * 8, dtype=np.uint8).reshape(2, 8, 8) % 17
    shown = judge(server, rubric="A {{ label }}?", images=["pixels"], levels=16)
    shown.verify(Samples(pixels=pixels, label=np.array([3, 4])), np.random.default_rng(0))
    parts = next(b["messages"][0]["content"] for b in server.bodies if "A 4?" in json.dumps(b))
    head, _, data = parts[1]["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert np.array_equal(image, (pixels[1] * (255 / 16)).round())


def test_a_column_that_is_not_there(serve: Any) -> None:
    with pytest.raises(DataError, match="no such column: got 'story'"):
        verify(judge(serve(), rubric="{{ story }}"), "x")


DATA = Schema({"scan": Images(height=8, width=8, levels=16), "label": Label(classes=3)})


def asked_about(**fields: Any) -> LLMJudge:
    return LLMJudge.model_validate({"url": "http://host/v1", **QUICK, "rubric": "A {{ label }}?", **fields})


def test_images_and_levels_come_from_the_data() -> None:
    suited = asked_about().suited_to(DATA)
    assert (suited.images, suited.levels) == (("scan",), 16)
    blind = asked_about(images=()).suited_to(DATA)
    assert (blind.images, blind.levels) == ((), None)


UNSUITED: dict[str, tuple[dict[str, Any], Any, str]] = {
    "a rubric about another column": (
        {"rubric": "{{ text }}"},
        DATA,
        "rubric: got 'text', expected a column",
    ),
    "an image that is none": ({"images": ("label",)}, DATA, "images: column 'label': got 'label', expected"),
    "other levels": ({"levels": 255}, DATA, "levels: got 255, expected 16, as the data's column 'scan' has"),
    "colour": (
        {},
        Schema({**DATA, "scan": Images(height=8, width=8, levels=16, channels=3)}),
        "column 'scan': got '3 channels', expected 1",
    ),
}


@pytest.mark.parametrize("case", UNSUITED)
def test_data_that_do_not_suit_it_are_refused(case: str) -> None:
    fields, schema, match = UNSUITED[case]
    with pytest.raises(ConfigError, match=match):
        asked_about(**fields).suited_to(schema)


def test_without_data_the_levels_of_images_have_to_be_set(serve: Any) -> None:
    samples = Samples(pixels=np.zeros((1, 8, 8), np.uint8))
    with pytest.raises(ConfigError, match=r"levels is not set.*Set levels"):
        judge(serve(), rubric="?", images=["pixels"]).verify(samples, np.random.default_rng(0))


def test_a_missing_key_is_told_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    with pytest.raises(ConfigError, match="SOME_KEY"):
        asked_about(key_variable="SOME_KEY").check_ahead(DATA)


def test_who_asks_for_scores_only_scores() -> None:
    assert asked_about().only_scores
    assert not asked_about(asks="decision").only_scores
    assert not asked_about(asks="both").only_scores


WRONG = {
    "a rubric that is no template": ({"rubric": "{{ text"}, "not a valid template"),
    "votes that are all the same": ({"votes": 3}, "set temperature|Set temperature"),
    "an empty scale": ({"scale": (1, 1)}, "got '1..1'"),
    "not a URL": ({"url": "localhost:80"}, "not a URL of a server"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_fields(case: str) -> None:
    fields, match = WRONG[case]
    with pytest.raises(ValueError, match=match):
        LLMJudge.model_validate({"url": "http://host/v1", **QUICK, **fields})


# -- the cache -----------------------------------------------------------------------------------------------


def test_usage_is_counted_by_model_and_priced(serve: Any, tmp_path: Path) -> None:
    server = serve()
    asked = judge(server, cache=tmp_path / "cache", price=(2.0, 30.0), votes=2, temperature=1)
    verify(asked, "a", "b", "a")
    verify(asked.model_copy(update={"model": "other"}), "a")
    data = TinyData().load(0)
    usage = asked.usage()
    assert usage is not None
    assert (usage.replies, usage.prompt_tokens, usage.completion_tokens) == (4, 400, 40)
    assert usage.cost == pytest.approx(400 * 2e-6 + 40 * 30e-6)
    asked.fit(None, NOBODY, data.train, np.random.default_rng(0)).save(tmp_path)
    assert json.loads((tmp_path / "judge.json").read_text())["replies"] == 4
    assert judge(server).usage() is None


def test_equal_samples_are_asked_about_once(serve: Any, tmp_path: Path) -> None:
    server = serve()
    verify(judge(server, cache=tmp_path / "cache"), "a", "a", "a")
    assert server.asked == {"a": 1}


@pytest.mark.parametrize(
    "change", [{"model": "n"}, {"rubric": "{{ text }}!"}, {"scale": (0, 2)}, {"temperature": 1}]
)
def test_another_question_is_asked_anew(change: dict[str, Any], serve: Any, tmp_path: Path) -> None:
    server = serve()
    asked = judge(server, cache=tmp_path / "cache")
    verify(asked, "a")
    verify(asked.model_copy(update=change), "a")
    assert len(server.bodies) == 2


def test_how_it_is_asked_does_not_matter_to_the_cache(serve: Any, tmp_path: Path) -> None:
    server = serve()
    asked = judge(server, cache=tmp_path / "cache")
    verify(asked, "a")
    verify(asked.model_copy(update={"retries": 1, "timeout": 9.0, "price": (1.0, 1.0)}), "a")
    assert len(server.bodies) == 1


def test_a_cache_that_is_none(serve: Any, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("my diary\n" * 1_000)
    with pytest.raises(CorruptFileError, match="was not written by veriloop"):
        verify(judge(serve(), cache=tmp_path / "cache"), "a")
    assert (tmp_path / "cache").read_text() == "my diary\n" * 1_000


def test_it_can_be_pickled(serve: Any, tmp_path: Path) -> None:
    asked = pickle.loads(pickle.dumps(judge(serve(), cache=tmp_path / "cache")))
    assert verify(asked, "a").score == [fair("a")]
