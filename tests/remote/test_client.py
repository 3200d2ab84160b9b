import gzip
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.errors import ConfigError
from veriloop.remote import client
from veriloop.remote.client import Failure, Plain, ask, retry_after
from veriloop.remote.service import Service

from ..patience import HOUR

QUICK: dict[str, Any] = {"timeout": HOUR, "backoff": 0.001, "retries": 2}


def asked(url: str, n: int = 1, **fields: Any) -> list[Any]:
    """What the server's replies are, by the default reader: the decoded JSON."""
    bodies = {k: b'{"k": %d}' % k for k in range(n)}
    service = Service(url=url, **{**QUICK, **fields})
    replies = ask(service, bodies, Plain(url, bodies, lambda _, content: content))
    return [replies[k] for k in range(n)]


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529, 599])
def test_not_now_is_asked_again(status: int, serve: Any) -> None:
    server = serve(lambda question, k: (status, b"busy") if k < 2 else (200, {"fine": 1}))
    assert asked(server.url) == [{"fine": 1}]
    assert len(server.questions) == 3
    assert asked(serve(lambda question, k: (status, b"busy")).url) == [
        Failure(f"status {status}: busy, tried 3 times")
    ]


@pytest.mark.parametrize("status", [301, 307, 401, 402, 404, 405, 406, 410, 411, 415, 426, 451])
def test_a_wrong_setting_ends_it_at_once(status: int, serve: Any) -> None:
    server = serve(lambda question, k: (status, b"no\nway", {"Location": "/elsewhere"}))
    with pytest.raises(ConfigError, match=f"refuses: got 'status {status}: no way'. Check url"):
        asked(server.url, 500)
    assert len(server.questions) == 1


@pytest.mark.parametrize("status", [400, 403, 413, 422])
def test_a_service_that_refuses_everything_is_asked_three_times(status: int, serve: Any) -> None:
    server = serve(lambda question, k: (status, {"error": "unknown field"}))
    with pytest.raises(ConfigError, match=f"answered no question: got 'status {status}.*unknown field"):
        asked(server.url, 500)
    assert len(server.questions) == 3


@pytest.mark.parametrize("status", [400, 403, 413, 422])
def test_a_question_that_is_refused_is_no_end(status: int, serve: Any) -> None:
    server = serve(lambda question, k: (status, b"too long") if question["k"] % 3 == 0 else (200, {}))
    replies = asked(server.url, 60, concurrency=4)
    refused = Failure(f"status {status}: too long", "refused")
    assert replies == [refused if k % 3 == 0 else {} for k in range(60)]
    assert len(server.questions) == 60


def test_what_is_refused_is_counted_over_calls(serve: Any) -> None:
    server = serve(lambda question, k: (400, b"no"))
    assert [asked(server.url)[0].kind for _ in range(2)] == ["refused"] * 2
    with pytest.raises(ConfigError, match="answered no question"):
        asked(server.url)


def test_a_service_that_speaks_another_language_is_asked_for_three_answers(serve: Any) -> None:
    server = serve(lambda question, k: (200, b"<html>welcome</html>"))
    with pytest.raises(ConfigError, match="answered no question: got 'the reply cannot be read"):
        asked(server.url, 500)
    assert len(server.questions) == 9


def test_an_account_without_credit_is_not_waited_for(serve: Any) -> None:
    server = serve(lambda question, k: (429, {"error": {"code": "insufficient_quota"}}))
    with pytest.raises(ConfigError, match="insufficient_quota"):
        asked(server.url, 9)
    assert len(server.questions) == 1


def test_the_first_question_goes_alone(serve: Any) -> None:
    under_way, most = [0], []

    def answer(question: Any, k: int) -> tuple[int, Any]:
        under_way[0] += 1
        most.append(under_way[0] if k == 0 else 0)
        if k == 0:
            time.sleep(0.1)
            most[0] = under_way[0]
        under_way[0] -= 1
        return 200, {}

    assert asked(serve(answer).url, 20) == [{}] * 20
    assert most[0] == 1


# -- connections ---------------------------------------------------------------------------------------------


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ConfigError, match=r"no connection to .*got 'connection refused'. Start the server"):
        asked(url, 9)


def test_no_such_host() -> None:
    with pytest.raises(ConfigError, match=r"no connection to .*no such host"):
        asked("http://no-such-host.invalid", retries=0)


def test_a_time_out_is_something_else(serve: Any) -> None:
    leaving = threading.Event()

    def answer(question: Any, k: int) -> tuple[int, Any]:
        leaving.wait()
        return 200, {}

    server = serve(answer)
    try:
        assert asked(server.url, timeout=0.5) == [Failure("no reply within 0.5 s, tried 3 times")]
    finally:
        leaving.set()


def test_a_reply_that_drips_is_cut_at_the_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        gone = threading.Event()

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while not gone.wait(0.02):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        (failure,) = asked(f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=0.5, retries=0)
        gone.set()
        thread.join()
    assert failure == Failure("no reply within 0.5 s, tried once")


def test_a_reply_without_end_is_not_read_to_its_end(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LARGEST_REPLY", 100_000)
    sizes = {0: 99_998, 1: 100_000}
    server = serve(lambda question, k: (200, b'"' + b"x" * sizes[question["k"]] + b'"'))
    fits, too_large = asked(server.url, 2, retries=0)
    assert len(fits) == 99_998
    assert too_large == Failure("the reply is larger than 100,000 bytes, tried once", "unreadable")


def test_a_small_reply_that_unpacks_to_a_large_one(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LARGEST_REPLY", 100_000)
    packed = gzip.compress(b'"' + b"x" * 50_000_000 + b'"')
    server = serve(lambda question, k: (200, packed, {"Content-Encoding": "gzip"}))
    (failure,) = asked(server.url, retries=0)
    assert "larger than 100,000 bytes" in failure.reason


def test_a_long_complaint_is_one_short_line(serve: Any) -> None:
    server = serve(lambda question, k: (500, b"no\n" * 1_000_000))
    (failure,) = asked(server.url, retries=0)
    assert len(failure.reason) < 300
    assert "\n" not in failure.reason


def test_proxies_are_those_of_the_environment(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve(lambda question, k: (200, {"by": "proxy"}))
    monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//me:hunter2@"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert asked("http://somewhere.invalid/v1") == [{"by": "proxy"}]
    assert proxy.paths == ["http://somewhere.invalid/v1"]
    direct = serve(lambda question, k: (200, {"by": "itself"}))
    assert asked(direct.url) == [{"by": "itself"}]


@pytest.mark.parametrize("proxy", ["gopher://me:hunter2@host", "http://me:hunter2@host:port"])
def test_a_proxy_that_is_none(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(ConfigError, match=r"proxies in the environment.*HTTP_PROXY") as caught:
        asked("http://somewhere.invalid/v1")
    assert "hunter2" not in str(caught.value)


def test_the_key_is_sent_and_never_told(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-hunter2")
    for status in (400, 401, 500):
        server = serve(lambda question, k, status=status: (status, b"what is sk-hunter2? " * 50))
        try:
            told = asked(server.url, 9, key_variable="SOME_KEY", retries=0)[0].reason
        except ConfigError as e:
            told = str(e)
        assert f"status {status}: what is ***?" in told
        assert "hunter" not in told
        assert server.headers[0]["Authorization"] == "Bearer sk-hunter2"


# -- waiting -------------------------------------------------------------------------------------------------


def test_waits_double_and_are_at_least_what_is_asked_for(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("asyncio.sleep", sleep)
    headers = {3: {"Retry-After": "30"}, 5: {"Retry-After": "0.5"}}
    server = serve(lambda question, k: (503, b"", headers.get(k, {})))
    asked(server.url, retries=8, backoff=1, longest_wait=40)
    assert waits == [1, 2, 4, 30, 16, 32, 40, 40]


def test_a_server_that_asks_for_more_than_the_longest_wait_is_given_up(serve: Any) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    server = serve(lambda question, k: (429, b"later", {"Retry-After": later}))
    (failure,) = asked(server.url)
    assert failure.reason.startswith("status 429: later; it asked to wait 3")
    assert len(server.questions) == 1


def test_any_number_of_tries_can_be_waited_for(serve: Any) -> None:
    server = serve(lambda question, k: (503, b"") if k < 1_200 else (200, {}))
    assert asked(server.url, retries=2_000, longest_wait=0.0, backoff=1.0) == [{}]


DATES = {
    "Fri, 31 Dec 1999 23:59:59 GMT": 0,
    "120": 120,
    "1.5": 1.5,
    " 7 ": 7,
    "-3": 0,
    "nan": 0,
    "inf": 0,
    "soon": 0,
    "": 0,
    "Fri, 99 Dec 2099 23:59:59 GMT": 0,
    "9" * 400: 0,
}


@pytest.mark.parametrize("asked_for", DATES)
def test_retry_after(asked_for: str) -> None:
    assert retry_after({"Retry-After": asked_for}) == DATES[asked_for]


@given(
    st.integers(1, 10**6), st.sampled_from(["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%c"])
)
def test_all_three_forms_of_a_date_mean_greenwich(seconds: int, form: str) -> None:
    date = datetime.now(UTC) + timedelta(seconds=seconds)
    assert retry_after({"Retry-After": date.strftime(form)}) == pytest.approx(seconds, abs=5)


@given(st.text())
def test_no_header_is_an_error(header: str) -> None:
    assert 0 <= retry_after({"Retry-After": header}) < float("inf")
