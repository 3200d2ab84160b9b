"""A run that waits for people ends well, and says where to go."""

import json
from pathlib import Path

from veriloop.store.folder import RunFolder
from veriloop.verifiers.human.desk import Desk


def test_a_waiting_run_ends_well_and_says_where_to_go(veriloop, config: Path, tmp_path: Path) -> None:
    store, out = f"sqlite:///{tmp_path}/verdicts.db", tmp_path / "runs" / "people"
    settings = [
        f"verifier={{kind: human, store: '{store}', known: 0}}",
        "acceptance=accept_all",
        "balance=null",
    ]
    options = [option for setting in settings for option in ("--set", setting)]
    called = veriloop("run", config, "--out", out, "--plain", *options)
    assert called.code == 0
    assert called.out.splitlines()[-1] == (
        f"waiting for people's verdicts on 60 samples, in {store}; judge them with:"
        f" veriloop serve {out.parent}, then continue with: veriloop resume {out}"
    )
    desk = Desk(store)
    for task in desk.take("ann", 60):
        desk.record("ann", task.key, "accept")
    called = veriloop("resume", out, "--json")
    outcome = json.loads(called.out)
    assert (called.code, outcome["status"]) == (0, "waiting")
    assert "on 60 samples" in outcome["reason"]
    assert [r.round for r in RunFolder(out).records() if r.arm == "verified"] == [0, 1]
    assert veriloop("preview", config, *options).code == 0, "its round is the first, which people have judged"
    called = veriloop("preview", config, *options, "--set", "seed=1")
    assert called.code == 0
    waits = "verified: waiting for people's verdicts on "
    assert next(line for line in called.out.splitlines() if line.startswith(waits)).endswith(
        "its candidates cannot be judged until then"
    )
    waiting = json.loads(veriloop("preview", config, *options, "--set", "seed=1", "--json").out)
    assert waiting["arms"]["verified"]["estimated_seconds"] is None
    assert waiting["arms"]["unverified"]["counts"]["kept"] > 0
