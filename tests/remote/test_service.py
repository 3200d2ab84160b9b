import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.errors import ConfigError, VeriloopError
from veriloop.learners._language.backends import Decoding
from veriloop.remote.service import Service, endpoint, masked
from veriloop.verifiers.http import HTTP

PASSWORDS = [
    "https://me:hunter2@host/v1",
    "https://hunter2@host/v1",
    "https://me:hunter2@host:99999/v1",
    "https://me:hun/hunter2@host/v1",
    "https://[me:hunter2@host/v1",
    "me:hunter2@host/v1",
    "ftp://me:hunter2@host",
    "https://host/v1?api_key=hunter2",
    "https://host/v1?Access-Token=hunter2",
]


@pytest.mark.parametrize("url", PASSWORDS)
def test_a_password_in_a_url_is_refused_and_not_shown(url: str) -> None:
    for make in (
        lambda: Service(url=url),
        lambda: HTTP.model_validate({"url": url}),
        lambda: Decoding.model_validate({"backend": {"kind": "openai", "url": url, "model": "m"}}),
    ):
        with pytest.raises(VeriloopError, match="key_variable") as caught:
            make()
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["localhost:80", "http://", "/v1", "", "ftp://host", "http://host:99999", "http://h st", "http://[::1"],
)
def test_no_url(url: str) -> None:
    with pytest.raises(ConfigError, match="not a URL of a server"):
        Service(url=url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8000/v1/", "http://localhost:8000/v1/chat"),
        ("http://[::1]:80", "http://[::1]:80/chat"),
        ("https://host/openai?api-version=7", "https://host/openai/chat?api-version=7"),
        ("https://host/ai/@cf/meta/llama", "https://host/ai/@cf/meta/llama/chat"),
    ],
)
def test_endpoints(url: str, expected: str) -> None:
    assert endpoint(Service(url=url).url, "chat") == expected


def test_the_key_is_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", " sk-hunter2\n")
    service = Service(url="http://host", key_variable="SOME_KEY")
    assert service.key() == "sk-hunter2"
    assert "hunter2" not in repr(service) + str(service) + service.model_dump_json()
    assert b"hunter2" not in pickle.dumps(service)


@pytest.mark.parametrize("key", ["", "  ", "schlüssel", "two\nlines", "tab\x00"])
def test_a_key_that_no_header_can_carry(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "\x00" in key:
        monkeypatch.setattr("os.environ", {"SOME_KEY": key})
    else:
        monkeypatch.setenv("SOME_KEY", key)
    with pytest.raises(ConfigError, match="SOME_KEY does not contain a key") as caught:
        Service(url="http://host", key_variable="SOME_KEY").key()
    assert not key.strip() or key not in str(caught.value)


@given(st.text(), st.text(), st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=4))
def test_masking(before: str, after: str, key: str) -> None:
    told = masked(f"{before}Bearer {key}{after} http://me:{key}@proxy:80", key)
    assert key not in told or key in masked("", None) + before + after
    assert "\n" not in told


def test_passwords_of_proxies_are_masked() -> None:
    assert masked("407 from http://me:pw@proxy:3128/\n see http://proxy", None) == (
        "407 from http://***@proxy:3128/ see http://proxy"
    )
