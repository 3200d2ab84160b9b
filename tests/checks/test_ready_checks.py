"""The ready checks as verifiers and metrics: what they accept, why they reject, where they abstain."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from veriloop.errors import ConfigError
from veriloop.generator import Generator
from veriloop.metrics.base import Evaluation, Metric
from veriloop.samples import Samples
from veriloop.schema import Completion, Extra, Prompt, Reference, Schema
from veriloop.testing import check_metric, check_verifier
from veriloop.verdicts import Decision, Verdicts
from veriloop.verifiers.base import Verifier
from veriloop.verifiers.checks import Command, JSONSchema, Math, Regex

from ..patience import HOUR

ACCEPT, REJECT, ABSTAIN = Decision.ACCEPT, Decision.REJECT, Decision.ABSTAIN


def judged(verifier: Verifier, *texts: str, **columns: Any) -> Verdicts:
    samples = Samples(completion=list(texts), **columns)
    return verifier.verify(samples, np.random.default_rng(0))


class Writer(Generator):
    """Writes what it is given beside."""

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        assert condition is not None
        condition = condition.select(slice(n))
        return condition.with_columns(
            completion=[f"{text} {rng.integers(9)}" for text in condition.texts("said")]
        )

    def save(self, directory: Path) -> None: ...

    @classmethod
    def load(cls, directory: Path) -> "Writer":
        return cls()


CONFIGURED: list[dict[str, Any]] = [
    {"kind": "math", "reference": "right"},
    {"kind": "json_schema", "like": {"type": "number"}, "find": True},
    {"kind": "regex", "pattern": "[0-3]$"},
    {"kind": "command", "command": ["grep", "-q", "3"]},
    {"kind": "python_tests", "tests": "test"},
]
GIVEN = Samples(
    said=["it is", "", "x =", "1 +"] * 6, right=[str(i % 5) for i in range(24)], test=["assert True"] * 24
)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract suites on few samples: each costs a process here, or an import of seconds."""
    for suite in ("_common", "verifiers", "metrics"):
        monkeypatch.setattr(f"veriloop.testing.contracts.{suite}.N", 4, raising=False)


@pytest.mark.slow
@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("fields", CONFIGURED, ids=lambda fields: fields["kind"])
def test_each_keeps_the_contract_of_verifiers(fields: dict[str, Any]) -> None:
    verifier = Verifier.model_validate({**fields, "timeout": HOUR})
    assert verifier.kind == fields["kind"]
    check_verifier(verifier, Writer(), GIVEN.with_columns(completion=["1"] * 24), GIVEN)


@pytest.mark.parametrize("fields", CONFIGURED[1:4], ids=lambda fields: fields["kind"])
def test_each_keeps_the_contract_of_metrics(fields: dict[str, Any]) -> None:
    metric = Metric.model_validate({**fields, "timeout": HOUR})
    generator = Writer()
    made = generator.sample(8, np.random.default_rng(0), GIVEN.select(slice(8)))
    check_metric(metric, Evaluation(generator, made, made))
    assert list(metric.quantities) == [fields["kind"], f"{fields['kind']}_abstained"]


def test_mathematics() -> None:
    texts = {
        "The answer is $\\frac{1}{2}$.": ("1/2", ACCEPT, ""),
        "so 0.5": ("\\frac{1}{2}", ACCEPT, ""),
        "It follows that \\boxed{42}": ("6 * 7 = 42\n#### 42", ACCEPT, ""),
        "1,000": ("1000", ACCEPT, ""),
        "x^2 + 2x + 1 = 0, so $(x+1)^2$": ("$x^2+2x+1$", ACCEPT, ""),
        "It is 5": ("6", REJECT, "got 5, expected 6"),
        "I do not know": ("6", REJECT, "no answer found; expected 6"),
        "": ("6", REJECT, "no answer found; expected 6"),
        "6": ("?", ABSTAIN, "the reference cannot be read as mathematics: ?"),
        "blue": ("blue", ABSTAIN, "the reference cannot be read as mathematics: blue"),
        "so $y$": ("y", ACCEPT, ""),
    }
    verdicts = judged(Math(timeout=HOUR), *texts, reference=[right for right, _, _ in texts.values()])
    assert verdicts.decision.tolist() == [decision for _, decision, _ in texts.values()]
    reasons = dict(zip(texts, verdicts.reason or [], strict=True))
    assert {text: reasons[text] for text, (_, d, _) in texts.items() if d != ACCEPT} == {
        text: why for text, (_, d, why) in texts.items() if d != ACCEPT
    }


def test_the_right_answer_is_the_reference_or_a_column_with_such_a_name() -> None:
    texts = {"question": Prompt(), "answer": Completion()}
    assert Math().suited_to(Schema({**texts, "reference": Reference()})).reference == "reference"
    assert Math().suited_to(Schema({**texts, "solution": Extra()})).reference == "solution"
    assert Math(reference="key").suited_to(Schema({**texts, "key": Extra()})).reference == "key"
    with pytest.raises(ConfigError, match=r"Math needs a column.* Set reference to its name"):
        Math().suited_to(Schema(texts))


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def test_json() -> None:
    verdicts = judged(
        JSONSchema(like=SCHEMA, timeout=HOUR),
        *('{"n": 1}', ' {"n": 1}\n', '{"n": 1.5}', "{}", '{"n": NaN}', 'It is {"n": 1}', "[" * 10**5, ""),
    )
    assert verdicts.decision.tolist() == [ACCEPT] * 2 + [REJECT] * 6
    assert verdicts.reason is not None
    assert verdicts.reason[2:5] == [
        "at $.n: 1.5 is not of type 'integer'",
        "at $: 'n' is a required property",
        "not JSON: NaN is not JSON",
    ]


def test_json_in_other_text() -> None:
    texts = ('It is {"n": 1}.', '```json\n{"n": 2}\n```', '{"n": "x"} no, {"n": 3}', "none", '{"n": 1} or []')
    verdicts = judged(JSONSchema(like=SCHEMA, find=True, timeout=HOUR), *texts)
    assert verdicts.decision.tolist() == [ACCEPT, ACCEPT, ACCEPT, REJECT, REJECT]


def test_each_row_may_have_its_own_schema(tmp_path: Path) -> None:
    schemas = [json.dumps(SCHEMA), '{"type": "array"}', "no schema", '{"type": "nothing"}']
    verdicts = judged(JSONSchema(column="form", timeout=HOUR), *["[]"] * 4, form=schemas)
    assert verdicts.decision.tolist() == [REJECT, ACCEPT, ABSTAIN, ABSTAIN]
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    check = JSONSchema(like=str(tmp_path / "schema.json"), timeout=HOUR)
    assert judged(check, '{"n": 1}').decision.tolist() == [ACCEPT]
    assert list(check.sources().values()) == [tmp_path / "schema.json"]


def test_a_schema_that_is_none_is_refused_ahead(tmp_path: Path) -> None:
    columns = Schema({"completion": Completion()})
    with pytest.raises(ConfigError, match=r"like: not a JSON schema: got .at \$.type: 'nothing'"):
        JSONSchema(like={"type": "nothing"}).check_ahead(columns)
    with pytest.raises(ConfigError, match=r"like: got .*missing.json.*, expected a file of JSON"):
        JSONSchema(like=str(tmp_path / "missing.json")).check_ahead(columns)
    with pytest.raises(ValueError, match="like or column: got 'neither'"):
        JSONSchema()


def test_patterns() -> None:
    texts = ("yes", "Yes", "well, yes", "no")
    assert judged(Regex(pattern="yes", match="full", timeout=HOUR), *texts).score.tolist() == [1, 0, 0, 0]
    assert judged(Regex(pattern="yes", timeout=HOUR), *texts).score.tolist() == [1, 0, 1, 0]
    without = judged(Regex(pattern="yes", ignore_case=True, wanted=False, timeout=HOUR), *texts)
    assert without.score.tolist() == [0, 0, 0, 1]
    assert without.reason == ["matches at 0: 'yes'", "matches at 0: 'Yes'", "matches at 6: 'yes'", ""]
    with pytest.raises(ValueError, match=r"pattern: got .* expected a regular expression"):
        Regex(pattern="(")


def test_a_pattern_without_end_is_given_up() -> None:
    verdicts = judged(Regex(pattern=r"(a+)+$", match="full", timeout=0.5), "a" * 60 + "b")
    assert verdicts.reason == ["took longer than 0.5 s"]
    assert verdicts.decision.tolist() == [ABSTAIN]


def command(*parts: str, **fields: Any) -> Command:
    return Command(**{"command": [sys.executable, "-c", *parts], "timeout": HOUR, **fields})


def test_a_command_says_it_by_its_exit_code() -> None:
    check = command("import sys; text = sys.stdin.read(); print('read', text); sys.exit('yes' not in text)")
    verdicts = judged(check, "yes\u2028", "no")
    assert verdicts.decision.tolist() == [ACCEPT, REJECT]
    assert verdicts.reason == ["read yes", "exit code 1: read no"]
    by_file = command("import sys; sys.exit(open(sys.argv[1]).read() != 'x = 1')", "{file}", file="answer.py")
    assert judged(by_file, "x = 1", "").decision.tolist() == [ACCEPT, REJECT]


def test_a_command_sees_the_whole_row() -> None:
    check = command(
        "import json, sys; row = json.load(open('row.json')); sys.exit(row['completion'] != row['key'])"
    )
    assert judged(check, "a", "b", key=["a", "a"]).decision.tolist() == [ACCEPT, REJECT]


def test_a_command_writes_its_reward() -> None:
    write = "import os, sys; open(os.environ['VERILOOP_REWARD'], 'w').write(sys.stdin.read())"
    texts = ("0.25", "true", '{"score": 2, "reason": "fine"}', "nan", "much", "[1]")
    verdicts = judged(command(write, reward_file=True), *texts)
    assert verdicts.decision.tolist() == [Decision.OPEN, ACCEPT, Decision.OPEN, ABSTAIN, ABSTAIN, ABSTAIN]
    assert verdicts.score[[0, 2]].tolist() == [0.25, 2]
    assert verdicts.reason is not None
    assert verdicts.reason[2] == "fine"
    assert verdicts.reason[4] == "the reward file holds 'much', not a number"
    printed = judged(command("print(1.0)", reward_file=True), "x")
    assert printed.reason == ["the command wrote no reward to the file $VERILOOP_REWARD"]
    failed = command(f"{write}; sys.exit(3)", reward_file=True)
    assert judged(failed, "1").reason == ["exit code 3"]


def test_a_command_that_cannot_tell_is_an_abstention() -> None:
    slow = command("import subprocess; subprocess.run(['sleep', '1000072'])", timeout=2)
    assert judged(slow, "x").reason == ["the command took longer than 2 s"]
    assert not [p for p in psutil.process_iter(["cmdline"]) if "1000072" in (p.info["cmdline"] or [])]
    killed = command("import os; os.kill(os.getpid(), 9)")
    assert judged(killed, "x").reason == ["the command was ended by signal 9"]
    assert judged(Command(command=("/no/such/program",)), "x").decision.tolist() == [ABSTAIN]


def test_a_line_is_for_the_shell_only_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"command: got .*expected a list.* Or set shell: true"):
        Command(command="grep yes")
    with pytest.raises(ValueError, match="expected a line for the shell"):
        Command(command=("grep",), shell=True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "check.sh").write_text('grep -q "$1" < "$VERILOOP_TEXT"\n')
    line = Command(command='sh "$VERILOOP_HOME/check.sh" yes', shell=True, timeout=HOUR)
    assert judged(line, "yes; exit 1", "no").decision.tolist() == [ACCEPT, REJECT]
    listed = Command(command=("sh", "{home}/check.sh", "yes"), timeout=HOUR)
    assert judged(listed, "$(exit 1)yes", "no").decision.tolist() == [ACCEPT, REJECT]
    assert listed.sources() == {"command check.sh": Path("check.sh")}
    with pytest.raises(ConfigError, match="a program that can be started"):
        Command(command=("no-such-program",)).check_ahead(Schema({"completion": Completion()}))
