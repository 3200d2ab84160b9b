import math

import pytest

from veriloop.errors import ConfigError
from veriloop.yaml_1_2 import read_yaml

WORDS = {
    "no": "no",
    "on": "on",
    "Yes": "Yes",
    "off": "off",
    "y": "y",
    "true": True,
    "FALSE": False,
    "~": None,
    "null": None,
    "": None,
    "010": 10,
    "-7": -7,
    "0o10": 8,
    "0x1F": 31,
    "0b11": "0b11",
    "1_000": "1_000",
    "1:30": "1:30",
    "1e3": 1000.0,
    "1.": 1.0,
    ".5": 0.5,
    "-1.5E-2": -0.015,
    ".inf": math.inf,
    "-.Inf": -math.inf,
    "2024-01-02": "2024-01-02",
    "'1'": "1",
    '"no"': "no",
    "=": "=",
    "None": "None",
    "NA": "NA",
    "<<": "<<",
}


@pytest.mark.parametrize("text", [t for t in WORDS if t != "<<"])
def test_words_are_those_of_yaml_1_2(text):
    value = read_yaml(f"a: {text}", "plan")["a"]
    assert (value, type(value)) == (WORDS[text], type(WORDS[text]))


def test_not_a_number_is_a_number():
    assert math.isnan(read_yaml("a: .nan", "plan")["a"])


def test_keys_are_texts_alike():
    assert list(read_yaml("{no: 1, on: 2, '1': 3, 'true': 4}", "plan")) == ["no", "on", "1", "true"]


def test_aliases_and_merges():
    text = """
a: &x {n: 1, m: 2}
b: {<<: *x, m: 3}
c: *x
d: &y {<<: *x, n: 5}
e: {<<: [*y, *x]}
"""
    plan = read_yaml(text, "plan")
    assert plan["b"] == {"n": 1, "m": 3}
    assert plan["c"] == {"n": 1, "m": 2}
    assert (plan["d"], plan["e"]) == ({"n": 5, "m": 2}, {"n": 5, "m": 2})


BAD = {
    "a: 1\nb: 2\na: 3": "plan, line 3, column 1: not valid YAML (key 'a' occurs here and in line 1)",
    "x: {a: 1, a: 2}": "key 'a' occurs here and in line 1",
    "x:\n- {a: 1,\n   'a': 2}": "line 3, column 4: not valid YAML (key 'a' occurs here and in line 2)",
    'a: "x\\ud800"': "line 1, column 4: not valid YAML (an unpaired surrogate, which no file can store)",
    '"\\udfff": 1': "an unpaired surrogate",
    "{1: {}}": "key 1 is not text: put it in quotes",
    "a: {true: {}}": "key true is not text: put it in quotes",
    "a: {~: 1}": "key ~ is not text: put it in quotes",
    "? [a]\n: 1": "a key must be a text",
    "? {a: 1}\n: 1": "a key must be a text",
    "a: [1, 2": "line 1",
    "a: 1\n---\nb: 2": "line 2",
    "a: !!python/object/apply:os.system [ls]": "could not determine a constructor",
    "a: !mine 3": "could not determine a constructor",
    "a: !!set {b}": "could not determine a constructor",
    "a: !!timestamp 2024-01-02": "could not determine a constructor",
    "a: &x [*x]": "an alias occurs inside its own value",
    "a: *x": "undefined alias",
    "a: " + "[" * 100 + "]" * 100: "nested too deeply",
    "a: " + "[" * 5_000 + "]" * 5_000: "nested too deeply",
    "a: !!int " + "9" * 5_000: "expected a whole number",
    "a: \x00": "special characters are not allowed",
    "a:\t- b\n\t- c": "line",
    "a: !!int x": "a whole number",
    "a: !!float x": "a number",
    "a: !!bool x": "true or false",
}


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_plain_yaml_is_told_in_one_line(text):
    with pytest.raises(ConfigError) as caught:
        read_yaml(text, "plan")
    assert str(caught.value).startswith("plan")
    assert BAD[text] in str(caught.value)


def test_an_alias_bomb_does_not_go_off():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 20)]
    with pytest.raises(ConfigError, match="more than 50,000 values"):
        read_yaml("\n".join(lines), "plan")


def test_encodings():
    assert read_yaml(b"\xef\xbb\xbfa: \xc3\xa9", "plan") == {"a": "é"}
    assert read_yaml("a: é".encode("utf-16"), "plan") == {"a": "é"}
    with pytest.raises(ConfigError, match="line 2: not valid YAML"):
        read_yaml(b"a: 1\nb: \xe9", "plan")
    assert read_yaml(b"", "plan") is None
