"""``veriloop reverify``: for people and for machines, and its mistakes."""

import json
from pathlib import Path

import pytest

BIASED = 'kind: "veriloop.testing.tiny:TinyVerifier"\nbias: 4.0\n'
DECIDES = 'verifier: {kind: "veriloop.testing.tiny:TinyVerifier", mode: decide}\nacceptance: accept_all\n'


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "biased.yaml").write_text(BIASED)
    (tmp_path / "decides.yaml").write_text(DECIDES)
    return tmp_path / "biased.yaml", tmp_path / "decides.yaml"


def test_verifiers_are_ranked(veriloop, tiny_run: Path, files: tuple[Path, Path]) -> None:
    rivals = [argument for path in files for argument in ("--verifier", path)]
    called = veriloop("reverify", tiny_run, "--round", 2, *rivals)
    assert (called.code, called.err) == (0, "")
    assert "best: " in called.out
    assert not called.out.splitlines()[-1].startswith("best: biased")
    head = called.out.split("───")[0]
    for heading in ("verified,", "interval", "kept", "accepted", "seconds"):
        assert heading in head, "no heading is cut on a terminal of 80 columns"
    assert "requests" not in head, "no service was asked"
    assert "agreement (Cohen's kappa): as run / biased" in called.out
    found = json.loads(veriloop("reverify", tiny_run, "--round", 2, *rivals, "--json").out)
    assert found["quantity"] == "gap"
    assert [choice["name"] for choice in found["choices"]][-1] == "biased"
    best, *others = found["choices"]
    last = called.out.splitlines()[-1]
    for other in others:
        lead = found["ahead"][f"{best['name']} / {other['name']}"]
        assert lead["value"] >= 0
        assert (f"over {other['name']} " in last) == (lead["low"] <= 0)
    assert last.endswith("; --trial 0.25 is more precise") == ("may be nothing" in last)
    for choice in found["choices"]:
        assert choice["predicted"]["low"] < choice["predicted"]["value"] < choice["predicted"]["high"]
        assert choice["requests"] == 0


@pytest.mark.parametrize(
    ("content", "arguments", "fragment"),
    [
        ("nothing: 1\n", (), "a verifier with its kind"),
        ("kind: discriminater\n", (), "discriminator"),
        (BIASED, ("--arm", "unverified"), "has no verifier"),
        (BIASED, ("--round", 9), "got 9"),
        (BIASED, ("--metric", "frechet"), "frechet"),
    ],
)
def test_mistakes_are_one_line(
    content: str, arguments: tuple[object, ...], fragment: str, veriloop, tiny_run: Path, tmp_path: Path
) -> None:
    (tmp_path / "v.yaml").write_text(content)
    called = veriloop("reverify", tiny_run, "--verifier", tmp_path / "v.yaml", *arguments)
    assert called.code == 2
    assert called.err.startswith("error: ")
    assert called.err.count("\n") == 1
    assert fragment in called.err
