"""Nobody gets in who should not, nothing gets out that should not, and nothing makes it stumble."""

import re
import socket
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import Mount, Route

from veriloop.errors import ConfigError
from veriloop.web.app import create_app
from veriloop.web.security import Tokens, check_exposure, is_loopback

from ..patience import HOUR

TOKEN = "open sesame"


@pytest.fixture(scope="session")
def guarded(serve, waiting):
    return serve(waiting.runs, token=TOKEN)


def _requests(queue):
    """One of every route that the page has: its method and address."""
    known = {"run": "digits", "queue": queue.rsplit("/", 1)[1], "path": "web.css"}
    for route in create_app(Path()).routes:
        assert isinstance(route, Route | Mount)
        path = route.path.format(**known) if isinstance(route, Route) else f"{route.path}/{known['path']}"
        methods = route.methods if isinstance(route, Route) else None
        yield "POST" if methods == {"POST"} else "GET", path
    yield "GET", "/nothing"


def test_loopback_is_known_by_all_its_names():
    assert all(is_loopback(host) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"))
    assert not any(is_loopback(host) for host in ("", "localhost.evil.org", "127.0.0.1.evil.org", "10.0.0.1"))
    check_exposure("0.0.0.0", Tokens(TOKEN))
    with pytest.raises(ConfigError, match="--token"):
        check_exposure("127.0.0.1", Tokens(" "))


def test_with_a_token_every_route_needs_it(guarded, queue, client):
    for method, path in _requests(queue):
        for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "veriloop_token=wrong"}):
            response = client.request(method, guarded + path, headers=wrong)
            assert response.status_code == 401, path
            assert "digits" not in response.text
        assert client.request(method, guarded + path, params={"token": "wrong"}).status_code == 401
        given = client.request(
            method,
            guarded + path,
            params={"annotator": "ann", "arm": "verified", "round": 0},
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        # A post still lacks what proves that it comes from a page of ours, and a comparison its runs.
        expected = {404} if path in ("/nothing", "/compare") else {"GET": {200, 307}, "POST": {403}}[method]
        assert given.status_code in expected, path


def test_the_token_of_annotators_opens_the_pages_of_judging_alone(serve, waiting, queue, client):
    page = serve(waiting.runs, token=TOKEN, judge_token="judges")
    own = {"Authorization": "Bearer judges"}
    for method, path in _requests(queue):
        expected = 403 if method == "POST" else 200
        if not path.startswith(("/judge", "/assets")):
            expected = 307 if path == "/" else 403
        given = client.request(method, page + path, params={"annotator": "ann"}, headers=own)
        assert given.status_code == expected, path
    assert client.get(page, params={"token": "wrong"}).status_code == 401
    welcome = client.get(f"{page}/judge", params={"token": "judges"})
    assert (welcome.status_code, welcome.headers["location"]) == (303, "/judge")
    shown = client.get(f"{page}/judge").text
    assert "30 samples wait" in shown
    assert "/people" not in shown
    assert "/runs" not in shown
    assert client.get(f"{page}/people/data").status_code == 403
    client.get(f"{page}/runs", params={"token": TOKEN})
    assert "/people" in client.get(f"{page}/judge").text, "the owner's token takes its place"


@pytest.mark.parametrize(
    ("tokens", "problem"),
    [
        (Tokens(None, "judges"), "no --token beside it"),
        (Tokens("same", "same"), "the same secret as --token"),
        (Tokens("one", " "), "--judge-token"),
    ],
)
def test_a_token_of_annotators_that_would_protect_nothing_is_refused(tokens, problem):
    with pytest.raises(ConfigError, match=problem):
        check_exposure("127.0.0.1", tokens)


def test_a_token_in_the_address_becomes_a_cookie_and_leaves_the_address(guarded, client):
    welcome = client.get(f"{guarded}/explore", params={"token": TOKEN, "bias": "0.3"})
    assert (welcome.status_code, welcome.headers["location"]) == (303, "/explore?bias=0.3")
    cookie = next(c for c in welcome.headers.get_list("set-cookie") if "veriloop_token" in c)
    assert TOKEN not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert client.get(f"{guarded}/explore").status_code == 200
    away = client.get(f"{guarded}//evil.org", params={"token": TOKEN}, headers={"Cookie": ""})
    assert httpx.URL(away.headers.get("location", "/")).host == ""


@pytest.mark.parametrize(
    "host", ["evil.org", "localhost.evil.org", "127.0.0.1.evil.org", "[", "", "evil.org:80"]
)
def test_a_foreign_name_for_this_machine_is_refused(page, host):
    assert httpx.get(f"{page}/runs", headers={"Host": host}).status_code in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8765"])
def test_its_own_names_are_not(page, host):
    assert httpx.get(f"{page}/runs", headers={"Host": host}, timeout=HOUR).status_code == 200


def test_a_post_needs_the_token_of_a_page(page, queue, client):
    body = {"annotator": "mallory"}
    assert client.post(f"{queue}/undo", json=body).status_code == 403, "no cookie, no header"
    csrf = re.search(r'name="csrf" content="([^"]+)"', client.get(f"{page}/judge").text)
    assert csrf is not None
    assert client.post(f"{queue}/undo", json=body).status_code == 403, (
        "the cookie alone, as a browser sends it"
    )
    headers = {"X-CSRF-Token": csrf[1]}
    assert client.post(f"{queue}/undo", json=body, headers={"X-CSRF-Token": "wrong"}).status_code == 403
    assert httpx.post(f"{queue}/undo", json=body, headers=headers).status_code == 403, "no cookie"
    assert (
        httpx.post(
            f"{queue}/undo", json=body, headers={"X-CSRF-Token": "", "Cookie": "veriloop_csrf="}
        ).status_code
        == 403
    )
    assert client.post(f"{queue}/undo", json=body, headers=headers).status_code == 200


def test_every_response_carries_the_headers_that_protect_it(page, queue, client):
    for method, path in _requests(queue):
        headers = client.request(method, page + path).headers
        assert "script-src 'self';" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/runs/../../etc/passwd", "/runs/..%2f..%2fverdicts.db", "/runs/%2e%2e", "/runs/digits%2f..%2f..",
        "/assets/../app.py", "/assets/..%2fapp.py", "/assets/%2e%2e/app.py", "/assets//etc/passwd",
        "/assets/..%5capp.py", "/judge/..%2f..", "/runs/digits/sheet?arm=..%2f..&round=0",
        "/runs/digits/sheet?arm=verified&round=..%2f0", "/runs/digits%00",
    ],
)  # fmt: skip
def test_no_path_leads_out(page, path):
    host, port = page.removeprefix("http://").split(":")
    # httpx would tidy the path up.
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.split(b" ", 2)[1] in (b"404", b"400")
    assert b"root:" not in answer
    assert b"create_app" not in answer


PIECES = [
    "runs", "judge", "explore", "data", "digits", "now", "sheet", "samples", "verdicts", "undo", "assets",
    "plotly.js", "..", "", "%00", "%", "%ff", "\u2603", "a" * 300,
]  # fmt: skip
QUERIES = st.dictionaries(
    st.sampled_from(["annotator", "holding", "arm", "round", "version", "token", "bias", "radius", "n", "p"]),
    st.one_of(st.text(max_size=20), st.sampled_from(["nan", "inf", "-1", "1e999", "0", "9" * 400, "ann"])),
    max_size=3,
)
BODIES = st.one_of(
    st.binary(max_size=50),
    st.sampled_from([b"{}", b"[]", b'{"annotator": 1}', b'{"annotator": "a", "key": "x", "answer": "y"}']),
    st.builds(
        lambda x: b'{"annotator": "a", "holding": [' + x + b"]}", st.sampled_from([b"1", b'"x"', b"{}"])
    ),
)


@pytest.fixture(scope="session")
def fuzzed(page, queue):
    """A client that has a page's CSRF token, so that its posts are read."""
    with httpx.Client(timeout=HOUR) as client:
        text = client.get(f"{page}/judge").text
        client.headers["X-CSRF-Token"] = text.split('name="csrf" content="')[1].split('"')[0]
        yield client


@settings(max_examples=150)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]),
    pieces=st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8), st.just("QUEUE")), max_size=4),
    query=QUERIES,
    body=BODIES,
    partly=st.booleans(),
)
def test_no_request_makes_it_stumble(page, queue, fuzzed, method, pieces, query, body, partly):
    path = "/".join(queue.rsplit("/", 1)[1] if piece == "QUEUE" else piece for piece in pieces)
    headers = {"HX-Request": "true"} if partly else {}
    try:
        url = httpx.URL(f"{page}/").join("/" + path.lstrip("/"))
    except (httpx.InvalidURL, ValueError):
        return
    if url.host != "127.0.0.1":
        return
    response = fuzzed.request(method, url, params=query, content=body, headers=headers)
    assert response.status_code < 500, f"{method} {url} {query} {body}"


@settings(max_examples=60)
@given(
    annotator=st.one_of(st.text(max_size=50), st.sampled_from(["ann", "\x00", "a" * 41])),
    key=st.one_of(st.text(max_size=70), st.just("0" * 64)),
    answer=st.sampled_from(["accept", "reject", "abstain", "", "Accept"]),
)
def test_no_verdict_makes_it_stumble(queue, fuzzed, annotator, key, answer):
    body = {"annotator": annotator, "key": key, "answer": answer}
    assert fuzzed.post(f"{queue}/verdicts", json=body).status_code in (400, 404)


def test_an_app_without_runs_is_fine(serve, tmp_path, client):
    page = serve(tmp_path)
    assert create_app(tmp_path).state.runs == tmp_path
    for address in ("/runs", "/judge", "/people", "/explore"):
        assert client.get(page + address).status_code == 200
    assert client.get(f"{page}/judge/000000000000?annotator=ann").status_code == 404
