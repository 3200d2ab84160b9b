"""Where the page may be served."""

import socket
from pathlib import Path

import pytest

from veriloop.errors import ConfigError
from veriloop.web.server import listen


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", ""])
def test_without_a_token_only_this_machine_is_served(veriloop, host: str, tmp_path: Path) -> None:
    called = veriloop("serve", tmp_path, "--host", host)
    assert called.code == 2
    assert "without --token the page is for this machine only" in called.err
    assert called.err.count("\n") == 1


def test_a_taken_port_and_a_missing_folder_are_one_clear_line(veriloop, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1, port {port}"):
            listen("127.0.0.1", port)
    called = veriloop("serve", tmp_path / "nowhere")
    assert (called.code, "no such folder" in called.err) == (2, True)
