from typing import Any

import numpy as np
import pytest

from veriloop.errors import ConfigError, DataError
from veriloop.samples import Samples
from veriloop.testing import check_verifier
from veriloop.testing.tiny import TinyData, TinyGenerator
from veriloop.verdicts import Decision, Verdicts
from veriloop.verifiers.base import PLACE
from veriloop.verifiers.http import HTTP

from ..patience import HOUR


def http(server: Any, **fields: Any) -> HTTP:
    return HTTP(url=f"{server.url}/verdicts", **{"timeout": HOUR, "backoff": 0.01, **fields})


def verify(verifier: HTTP, texts: list[str]) -> Verdicts:
    return verifier.verify(Samples(text=texts), np.random.default_rng(0))


def by_length(text: str, try_: int) -> dict[str, Any]:
    return {"score": len(text)}


def test_keeps_the_contract(serve: Any) -> None:
    generator = TinyGenerator(np.zeros((3, 2)), np.ones((3, 2)))
    data = TinyData().load(0)
    server = serve(decide=lambda text, try_: {"score": len(text), "decision": "accept"})
    verifier = check_verifier(http(server, batch=5), generator, data.train, data.conditions)
    assert verifier.verify(data.test, np.random.default_rng(0)).count(Decision.ACCEPT) == len(data.test)


def test_verdicts_come_in_the_order_of_the_samples(serve: Any) -> None:
    server = serve(decide=by_length)
    texts = ["x" * (i % 97) for i in range(1_000)]
    verdicts = verify(http(server, batch=32), texts)
    assert verdicts.score.tolist() == [len(text) for text in texts]
    assert len(server.bodies) == -(-1_000 // 32)
    assert verdicts.count(Decision.OPEN) == 1_000


def test_what_is_posted(serve: Any) -> None:
    server = serve(decide=by_length)
    samples = Samples(
        text=["a", "b"],
        label=np.array([3, 4]),
        x=np.array([[0.5, np.nan], [1, 2]]),
        **{PLACE[0]: ["arm", "arm"]},
    )
    http(server).verify(samples, np.random.default_rng(0))
    http(server, columns=("text", "label")).verify(samples, np.random.default_rng(0))
    assert server.bodies == [
        {
            "samples": [
                {"text": "a", "label": 3, "x": [0.5, None]},
                {"text": "b", "label": 4, "x": [1.0, 2.0]},
            ]
        },
        {"samples": [{"text": "a", "label": 3}, {"text": "b", "label": 4}]},
    ]
    with pytest.raises(DataError, match="no such column: got 'story'"):
        http(server, columns=("story",)).verify(samples, np.random.default_rng(0))


VERDICTS: dict[str, tuple[Any, float, Decision, str]] = {
    "score": ({"score": -2}, -2, Decision.OPEN, ""),
    "decision": ({"decision": "reject", "reason": "dull"}, 0, Decision.REJECT, "dull"),
    "both": ({"score": 0.2, "decision": "Accept "}, 0.2, Decision.ACCEPT, ""),
    "abstention": ({"decision": "abstain"}, np.nan, Decision.ABSTAIN, ""),
    "neither": ({}, np.nan, Decision.ABSTAIN, "expected score and decision"),
    "a text": ("good", np.nan, Decision.ABSTAIN, "expected an object"),
    "null": (None, np.nan, Decision.ABSTAIN, "expected an object"),
    "a list": ([1], np.nan, Decision.ABSTAIN, "expected an object"),
    "true": ({"score": True}, np.nan, Decision.ABSTAIN, "expected a number"),
    "NaN": ({"score": float("nan")}, np.nan, Decision.ABSTAIN, "expected a number"),
    "infinity": ({"score": float("inf")}, np.nan, Decision.ABSTAIN, "finite"),
    "huge": ({"score": 10**400}, np.nan, Decision.ABSTAIN, "finite"),
    "number as text": ({"score": "7"}, np.nan, Decision.ABSTAIN, "expected a number"),
    "unknown word": ({"decision": "maybe"}, np.nan, Decision.ABSTAIN, "accept, reject, abstain"),
    "half a letter": ({"score": 1, "reason": "\ud800"}, 1, Decision.OPEN, "?"),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_verdicts(case: str, serve: Any) -> None:
    sent, score, decision, reason = VERDICTS[case]
    verdicts = verify(http(serve(decide=lambda text, try_: sent)), ["x"])
    assert verdicts.score[0] == pytest.approx(score, nan_ok=True)
    assert verdicts.decision[0] == decision
    assert verdicts.reason is not None
    assert reason in verdicts.reason[0]


@pytest.mark.parametrize("kind", ["429", "500", "cut", "envelope", "schema"])
@pytest.mark.parametrize("once", [True, False])
def test_a_misbehaving_server(kind: str, once: bool, serve: Any) -> None:
    server = serve(decide=by_length)
    texts = [f"x [{kind}{' once' if once else ''}]", "y", "z"]
    verdicts = verify(http(server, batch=2, retries=2), texts)
    spoilt = [] if once else [0, 1]
    assert np.flatnonzero(verdicts.is_(Decision.ABSTAIN)).tolist() == spoilt
    assert verdicts.reason is not None
    assert all("tried 3 times" in verdicts.reason[i] for i in spoilt)
    assert sorted(server.asked.values()) == [1, 2 if once else 3]


def test_nobody_there(serve: Any) -> None:
    server = serve()
    gone = http(server, retries=0)
    server.__exit__()
    with pytest.raises(ConfigError, match="no connection"):
        verify(gone, ["x"])
