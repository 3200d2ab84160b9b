import signal
import subprocess
import sys
from pathlib import Path

import pytest

from veriloop.errors import StorageError
from veriloop.remote.cache import Cache, Spent, Totals
from veriloop.remote.completions import Completion

WRITER = """
import sys
from pathlib import Path
from veriloop.remote.cache import Cache
from veriloop.remote.completions import Completion
cache = Cache(Path(sys.argv[1]))
for i in range(int(sys.argv[3])):
    cache.put(f"{sys.argv[2]}-{i}", "m", Completion(f"said {i}", "stop", "", 3, 1))
    print(i, flush=True)
"""


def writer(path: Path, name: str, replies: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), name, str(replies)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_writers_and_a_kill_lose_nothing_that_was_put(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    with writer(path, "lives", 200) as lives, writer(path, "dies", 10**9) as dies:
        assert dies.stdout is not None
        said = [dies.stdout.readline() for _ in range(100)]
        dies.send_signal(signal.SIGKILL)
        said += dies.stdout.readlines()
        lives.communicate()
    assert lives.returncode == 0
    put = [int(line) for line in said if line.endswith("\n")]
    cache = Cache(path)
    assert all(cache.get(f"dies-{i}") == Completion(f"said {i}", "stop", "", 3, 1) for i in put)
    assert all(cache.get(f"lives-{i}") is not None for i in range(200))
    # The killed one may have put one more than it could say.
    assert cache.totals("m").replies - len(put) - 200 in {0, 1}
    cache.close()


def test_the_first_reply_stays(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "new" / "cache")
    cache.put("key", "m", Completion("first", "stop", "", 1, 2))
    cache.put("key", "m", Completion("second", "length", "", 3, 4))
    assert cache.get("key") == Completion("first", "stop", "", 1, 2)
    assert cache.get("other") is None
    assert cache.totals("m") == Totals(1, 1, 2)
    assert cache.totals("n") == Totals(0, 0, 0)
    # Both have cost.
    assert cache.spent("m") == Spent(0, 4, 6)
    cache.count_request("m")
    cache.count_request("n")
    assert (cache.spent("m"), cache.spent("n")) == (Spent(1, 4, 6), Spent(1))
    cache.close()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot use the cache"):
        Cache(tmp_path)
