import json
import math
import pickle

import numpy as np
import pytest

from veriloop.advise.intervals import wilson
from veriloop.ask.replay import replayed
from veriloop.config import plan_from
from veriloop.errors import ConfigError, CorruptFileError
from veriloop.events import RunEnded
from veriloop.loop import run
from veriloop.rng import Address
from veriloop.samples import Samples
from veriloop.schema import Schema
from veriloop.store.folder import RunFolder
from veriloop.testing import check_verifier
from veriloop.testing.tiny import TinyData, TinyLearner
from veriloop.verdicts import Decision
from veriloop.verifiers.base import AwaitingVerdicts
from veriloop.verifiers.human.content import content_keys
from veriloop.verifiers.human.database import open_database
from veriloop.verifiers.human.desk import Desk
from veriloop.verifiers.human.store import KnownSamples, Opinion, Store
from veriloop.verifiers.human.verifier import Human, HumanJudge, weighed_verdict

TINY = Schema({"x": {"role": "vector", "p": 2}, "label": {"role": "label", "classes": 3}})


def _rng():
    return Address(7, "test").rng()


@pytest.fixture
def store(tmp_path):
    url = f"sqlite:///{tmp_path}/verdicts.db"
    yield url
    open_database(url).close()


def _is_good(task):
    """What our annotators like: an even last digit, which about half of the points of each class have."""
    return int(task.shown.words["x"][-1]) % 2 == 0


def _judge_all(url):
    desk = Desk(url)
    while tasks := desk.take("ann", 10):
        for task in tasks:
            desk.record("ann", task.key, "accept" if _is_good(task) else "reject")


def _asked(judge, samples):
    with pytest.raises(AwaitingVerdicts) as caught:
        judge.verify(samples, _rng())
    waiting = pickle.loads(pickle.dumps(caught.value))
    assert str(waiting) == str(caught.value)
    waiting.ask()
    return waiting.missing


def test_it_keeps_the_contract_once_people_have_spoken(store):
    data = TinyData().load(0)
    generator = TinyLearner().fit(data.start, None, _rng())
    assert data.conditions is not None
    condition = data.conditions.select(np.arange(24) % 3)
    # check_verifier draws its samples from this stream.
    samples = generator.sample(24, Address(20251016, "contract").rng(), condition)
    assert _asked(HumanJudge(Human(store=store)), samples) == 24
    _judge_all(store)
    check_verifier(Human(store=store), generator, data.train, data.conditions)


def test_verify_asks_nobody_by_itself(store):
    samples = Samples(x=np.zeros((2, 1)))
    with pytest.raises(AwaitingVerdicts, match="on 1 sample, in sqlite:///"):
        HumanJudge(Human(store=store)).verify(samples, _rng())
    assert Desk(store).progress("ann").waiting == 0


@pytest.mark.parametrize(
    ("answers", "decision", "score", "reason"),
    [
        (["accept", "accept", "reject"], Decision.ACCEPT, 2 / 3, ""),
        (["reject", "abstain", "reject"], Decision.REJECT, 0.0, ""),
        (["accept", "abstain", "abstain"], Decision.ACCEPT, 1.0, ""),
        (["accept", "abstain", "reject"], Decision.ABSTAIN, 0.5, "1 against 1"),
        (["abstain", "abstain", "abstain"], Decision.ABSTAIN, np.nan, "nobody could tell"),
    ],
)
def test_several_people_decide_by_majority(store, answers, decision, score, reason):
    verifier = HumanJudge(Human(store=store, annotators_per_sample=3))
    samples = Samples(x=np.zeros((1, 1)))
    _asked(verifier, samples)
    (key,) = content_keys(samples)
    for number, answer in enumerate(answers):
        with pytest.raises(AwaitingVerdicts):
            verifier.verify(samples, _rng())
        Desk(store).record(f"person {number}", key, answer)
    verdicts = verifier.verify(samples, _rng())
    assert verdicts.decision.tolist() == [decision]
    assert np.array_equal(verdicts.score, [score], equal_nan=True)
    assert verdicts.reason == [reason]


def _ask_three(store, samples):
    """Ann is right on ten known samples, Bob and Cyd on none; all three then judge ``samples``."""
    verifier = HumanJudge(Human(store=store, annotators_per_sample=3, weigh="accuracy"))
    known = Samples(x=np.arange(10.0, 20.0)[:, None])
    verifier.known = KnownSamples(known, known.select(slice(0)), 1.0)
    _asked(verifier, samples)
    answers: dict[str, Opinion] = {"ann": "accept", "bob": "reject", "cyd": "reject"}
    for name, answer in answers.items():
        for key in content_keys(known) + content_keys(samples):
            Desk(store).record(name, key, answer)
    return verifier


def test_people_can_be_weighed_by_their_accuracy_on_known_samples(store):
    samples = Samples(x=np.zeros((1, 1)))
    verifier = _ask_three(store, samples)
    verdicts = verifier.verify(samples, _rng())
    assert verdicts.decision.tolist() == [Decision.ACCEPT], "one who is right outweighs two who are not"
    assert verdicts.score.tolist() == [1.0]
    assert HumanJudge(Human(store=store, annotators_per_sample=3)).verify(samples, _rng()).score == [1 / 3]
    # Only what was known when the last of its verdicts was given counts: the same round comes out the same.
    more = Samples(x=np.arange(30.0, 90.0)[:, None])
    Store(store).post(samples, KnownSamples(more, more.select(slice(0)), 1.0), wanted=3, queue=99)
    for key in content_keys(more):
        Desk(store).record("bob", key, "accept")
        Desk(store).record("ann", key, "reject")
    assert verifier.verify(samples, _rng()).score.tolist() == [1.0]


@pytest.mark.parametrize(
    ("votes", "decision", "score", "reason"),
    [
        ([("accept", 2.0), ("reject", 1.0), ("reject", 0.5)], Decision.ACCEPT, 2 / 3.5, ""),
        ([("accept", 1.0), ("reject", 1.0)], Decision.ABSTAIN, 0.5, "weights of 1.00 against 1.00"),
        ([("abstain", 2.0), ("reject", 0.5)], Decision.REJECT, 0.0, ""),
        ([("abstain", 2.0), ("abstain", 2.0)], Decision.ABSTAIN, np.nan, "nobody could tell"),
        (
            [("accept", 0.0), ("reject", 0.0)],
            Decision.ABSTAIN,
            np.nan,
            "nobody who judged it is accurate enough",
        ),
    ],
)
def test_weights_decide(votes, decision, score, reason):
    found = weighed_verdict(votes)
    assert found[1:] == (decision, reason)
    assert np.array_equal([found[0]], [score], equal_nan=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "with annotators_per_sample: 1, expected two or more"),
        ({"annotators_per_sample": 2, "known": 0}, "with known: 0, expected known samples"),
    ],
)
def test_weights_that_could_change_nothing_are_refused(store, settings, message):
    with pytest.raises(ConfigError, match=message):
        plan_from(_config(store, verifier={"kind": "human", "store": store, "weigh": "accuracy", **settings}))


def test_known_bad_samples_are_real_ones_with_another_condition(store):
    real = TinyData().load(0).train
    verifier = Human(store=store, known=8).suited_to(TINY)
    judge = verifier.fit(None, TinyLearner().fit(real, None, _rng()), real, _rng())
    _asked(judge, Samples(x=np.zeros((1, 2)), label=np.zeros(1, np.int64)))
    known = [judged for judged in Store(store).everything() if judged.truth]
    assert sorted(judged.truth or "" for judged in known) == ["accept"] * 4 + ["reject"] * 4
    condition = {
        ", ".join(f"{value:.6g}" for value in x): str(label)
        for x, label in zip(real.array("x").tolist(), real.array("label").tolist(), strict=True)
    }
    for judged in known:
        own = condition[judged.shown.words["x"]]
        assert (judged.shown.words["label"] == own) == (judged.truth == "accept")


def test_known_samples_survive_a_save(store, tmp_path):
    real = TinyData().load(0).train
    verifier = Human(store=store, known=9).suited_to(TINY)
    judge = verifier.fit(None, TinyLearner().fit(real, None, _rng()), real, _rng())
    assert isinstance(judge, HumanJudge)
    assert judge.known is not None
    judge.save(tmp_path)
    for loaded in (verifier.load(tmp_path), HumanJudge.load(tmp_path)):
        assert isinstance(loaded, HumanJudge)
        assert loaded.known is not None
        assert loaded.verifier == verifier
        assert loaded.known.good.same_as(judge.known.good)
        assert loaded.known.bad.same_as(judge.known.bad)
        assert loaded.known.largest == judge.known.largest
    (tmp_path / "human.json").write_text("{")
    with pytest.raises(CorruptFileError, match=r"human\.json cannot be read"):
        verifier.load(tmp_path)


def test_without_known_samples_nothing_but_its_setting_is_saved(store, tmp_path):
    HumanJudge(Human(store=store)).save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["human.json"]
    assert HumanJudge.load(tmp_path).known is None


@pytest.mark.parametrize(
    ("columns", "condition"),
    [
        ({"x": {"role": "vector", "p": 2}, "kind": {"role": "label", "classes": 3}}, "kind"),
        ({"question": {"role": "prompt"}, "answer": {"role": "completion"}}, "question"),
        ({"x": {"role": "vector", "p": 2}}, None),
    ],
)
def test_the_condition_is_the_label_or_the_prompt(store, columns, condition):
    assert Human(store=store).suited_to(Schema(columns)).condition == condition


TEXT = {
    "name": {"role": "id"},
    "document": {"role": "prompt"},
    "summary": {"role": "completion"},
    "reference": {"role": "reference", "copy_of": "summary"},
}


def _texts(n):
    summaries = [f"in short {row // 2} is a number" for row in range(n)]
    return Samples(
        name=[f"row {row}" for row in range(n)],
        document=[f"all about {row}" for row in range(n)],
        summary=summaries,
        reference=summaries,
    )


def _known_of(verifier, real):
    judge = verifier.fit(None, TinyLearner().fit(TinyData().load(0).train, None, _rng()), real, _rng())
    assert judge.known is not None
    return judge.known


def test_a_bad_known_text_is_the_completion_of_another_prompt(store):
    verifier = Human(store=store, known=12).suited_to(Schema(TEXT))
    assert verifier.show == ("document", "summary"), "a good one would show its summary twice"
    verifier.check_ahead(Schema(TEXT))
    known = _known_of(verifier, _texts(20))
    assert (len(known.good), len(known.bad)) == (6, 6)
    for document, summary in zip(known.bad.texts("document"), known.bad.texts("summary"), strict=True):
        number = int(document.split()[-1])
        assert summary != f"in short {number // 2} is a number"
        assert summary in _texts(20).texts("summary")


def test_without_a_prompt_a_bad_known_text_has_its_words_in_random_order(store):
    schema = Schema({"summary": TEXT["summary"]})
    verifier = Human(store=store, known=12).suited_to(schema)
    verifier.check_ahead(schema)
    known = _known_of(verifier, _texts(20).only(["summary"]))
    for text in known.bad.texts("summary"):
        assert text not in _texts(20).texts("summary")
        assert sorted(text.split())[1:] == sorted(["in", "short", "is", "a", "number"])


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        (TEXT, {"show": ["summary", "reference"]}, "show: got 'reference, which in a good known sample"),
        ({"x": {"role": "vector", "p": 2}}, {}, "known: got '20, but without a label or a prompt"),
        (
            {"document": TEXT["document"], "summary": {"role": "completion", "in_data": False}},
            {},
            "known: got '20, but the data have only prompts",
        ),
    ],
)
def test_known_samples_that_cannot_be_made_or_would_be_recognised_are_refused(
    store, columns, settings, message
):
    schema = Schema(columns)
    with pytest.raises(ConfigError, match=message):
        Human(store=store, **settings).suited_to(schema).check_ahead(schema)
    Human(store=store, known=0, **settings).suited_to(schema).check_ahead(schema)


@pytest.mark.parametrize("settings", [{"show": ["document"]}, {"hide": ["summary"]}])
def test_what_is_judged_must_be_seen(store, settings):
    with pytest.raises(ConfigError, match="expected what they judge among it: summary"):
        Human(store=store, **settings).suited_to(Schema(TEXT))


def test_a_condition_that_the_data_lack_is_refused(store):
    with pytest.raises(ConfigError, match="condition: got 'mood', expected a column of the data: x"):
        Human(store=store, condition="mood").suited_to(TINY)


def test_the_old_word_for_known_samples_is_answered_with_the_new_one():
    with pytest.raises(ValueError, match=r"'gold' belongs to an earlier version\. Use known"):
        Human.model_validate({"gold": 4})


def _config(store, **changes):
    return {
        "seed": 1,
        "rounds": 2,
        "dataset": "veriloop.testing.tiny:TinyData",
        "learner": "veriloop.testing.tiny:TinyLearner",
        "metrics": ["veriloop.testing.tiny:TinyMetric"],
        "verifier": {"kind": "human", "store": store, "known": 4},
        "acceptance": "accept_all",
        "schedule": {"kind": "constant", "n": 30},
        "max_candidates": 30,
        "on_exhausted": "train_with_fewer",
        "chunk_size": 12,
        "evaluation_samples": 100,
        "arms": ["verified", "unverified"],
        **changes,
    }


def _to_the_end(plan, out, url):
    """Run, and judge whenever it waits; the states on the way."""
    states = []
    while True:
        folder = run(plan, out, resume="if-possible")
        states.append(folder.manifest().status)
        if states[-1] != "waiting":
            return folder, states
        _judge_all(url)


def _content(folder):
    """Records in the order of rounds and arms: an arm that waited has finished after the others."""
    records = [json.loads(line) for line in (folder.path / "records.jsonl").read_text().splitlines()]
    records = [{k: v for k, v in r.items() if k != "seconds"} for r in records]
    files = {str(p.relative_to(folder.path)): p.read_bytes() for p in folder.path.glob("round_*/**/*.*")}
    return sorted(records, key=lambda r: (r["round"], r["arm"])), files


def test_a_run_waits_for_people_and_trains_on_what_they_accepted(store, tmp_path):
    folder, states = _to_the_end(plan_from(_config(store)), tmp_path / "run", store)
    assert states == ["waiting", "waiting", "finished"]
    for round_ in (1, 2):
        kept = folder.kept(round_, "verified")
        assert 0 < len(kept) < 30
        posted = [j for j in Store(store).everything() if j.place["round"] == round_]
        assert len(posted) == 30
        accepted = {j.key for j in posted if j.verdicts["ann"] == "accept"}
        assert set(content_keys(kept)) == accepted
    record = next(r for r in folder.records() if (r.arm, r.round) == ("verified", 1))
    assert record.counts.accepted + record.counts.rejected == 30


def test_a_waiting_run_says_how_it_stands(store, tmp_path):
    folder = run(plan_from(_config(store)), tmp_path / "run")
    manifest = folder.manifest()
    assert manifest.status == "waiting"
    assert manifest.reason == f"waiting for people's verdicts on 30 samples, in {store}"
    ended = folder.events()[0][-1]
    assert isinstance(ended, RunEnded)
    assert (ended.status, ended.reason) == ("waiting", manifest.reason)
    done = [(r.arm, r.round) for r in folder.records()]
    assert ("unverified", 1) in done, "who needs no people goes on"
    assert ("verified", 1) not in done
    again = run(plan_from(_config(store)), tmp_path / "run", resume="always")
    assert again.manifest().status == "waiting"
    assert Desk(store).progress("ann").waiting == 30, "asked once"


def test_interruptions_and_executors_change_nothing(store, tmp_path):
    """One waits and goes on; the other finds all verdicts there, and is computed by other processes."""
    changes = {"parallel": "chunks", "executor": {"kind": "process", "workers": 2}}
    first, states = _to_the_end(plan_from(_config(store)), tmp_path / "a", store)
    assert "waiting" in states
    second, states = _to_the_end(plan_from(_config(store, **changes)), tmp_path / "b", store)
    assert states == ["finished"]
    assert _content(first) == _content(second)


def test_the_queue_bounds_what_waits(store, tmp_path):
    config = _config(store, verifier={"kind": "human", "store": store, "queue": 12, "known": 0})
    run(plan_from(config), tmp_path / "run")
    assert Desk(store).progress("ann").waiting == 12
    _, states = _to_the_end(plan_from(config), tmp_path / "run", store)
    assert states == ["waiting"] * 6 + ["finished"]


def test_a_round_asks_for_as_many_as_it_needs_by_the_rate_of_the_one_before(store, tmp_path):
    wanted = 60
    changes = {"schedule": {"kind": "constant", "n": wanted}, "max_candidates": 600, "arms": ["verified"]}
    plan = plan_from(_config(store, chunk_size=40, rounds=3, **changes))
    run(plan, tmp_path / "run")
    asked: dict[int, list[int]] = {1: [], 2: [], 3: []}
    while True:
        posted = [p.place["round"] for p in Store(store).everything() if p.truth is None]
        for number, sizes in asked.items():
            if more := posted.count(number) - sum(sizes):
                sizes.append(more)
        _judge_all(store)
        if run(plan, tmp_path / "run", resume="always").manifest().status == "finished":
            break
    records = {r.round: r.counts for r in RunFolder(tmp_path / "run").records()}
    assert asked[1][0] == wanted, "nothing is known yet, and this number is needed in any case"
    for number in (2, 3):
        before, counts = records[number - 1], records[number]
        rate = wilson(before.accepted, before.generated).high
        assert asked[number][0] == math.ceil(wanted / rate) > wanted
        # Of candidates that people were asked about, what goes beyond the last one kept is lost work.
        kept = RunFolder(tmp_path / "run").kept(number, "verified")
        last = [p.key for p in Store(store).everything() if p.place["round"] == number].index(
            content_keys(kept)[-1]
        )
        assert counts.generated - (last + 1) <= 0.1 * counts.generated
        assert sum(asked[number]) == counts.generated


def test_a_round_is_judged_again_from_the_store_as_it_was(store, tmp_path):
    changes = {"schedule": {"kind": "constant", "n": 20}, "max_candidates": 200, "arms": ["verified"]}
    verifier = {"kind": "human", "store": store, "known": 4}
    plan = plan_from(_config(store, chunk_size=12, verifier=verifier, **changes))
    folder, _ = _to_the_end(plan, tmp_path / "run", store)
    again = replayed(plan, folder, "verified", 2)
    record = next(r for r in folder.records() if r.round == 2)
    assert int(np.nansum(again.accepted)) == record.counts.kept == 20


def test_a_wrong_store_is_refused_with_its_path(store):
    with pytest.raises(ConfigError, match=r"arms\.verified\.verifier.*store.*mysql"):
        plan_from(_config(store, verifier={"kind": "human", "store": "mysql://host/name"}))


def test_what_people_are_asked_stands_in_the_card_of_the_arm(store, tmp_path):
    verifier = {
        "kind": "human",
        "store": store,
        "known": 0,
        "question": "Is it round?",
        "choices": {"accept": {"key": "j", "label": "Round"}},
    }
    folder = run(plan_from(_config(store, verifier=verifier, rounds=1)), tmp_path / "run")
    brief = folder.manifest().cards.arms["verified"].brief
    assert brief is not None
    assert (brief.question, brief.judged) == ("Is it round?", ("x",))
    assert {answer: choice.key for answer, choice in brief.choices.items()} == {
        "accept": "j", "reject": "n", "abstain": "s",
    }  # fmt: skip
    assert folder.manifest().cards.arms["unverified"].brief is None


@pytest.mark.parametrize("key", ["n", "u", "J", "ab"])
def test_keys_of_choices_are_letters_that_mean_nothing_else(store, key):
    with pytest.raises(ValueError, match="choices"):
        Human.model_validate({"store": store, "choices": {"accept": {"key": key, "label": "Round"}}})
