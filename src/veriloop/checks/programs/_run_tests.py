"""Run a piece of code and then its tests, and report whether they passed; started for each text.

    python _run_tests.py SOCKET

SOCKET is the number of a socket, from which one JSON object is read: the code, the tests, a secret word, and
the limits. The answer, on the same socket, contains the secret word, so neither an exit with code 0 nor
anything that the code prints or writes to a file counts as one. The code runs under an audit hook: an attempt
to leave its folder, start a process, send a signal or use the network ends it at once.

The tests are prepared before the code runs, have separate names, and count only if Python's functions and the
modules that they import are unchanged after it.

It uses the standard library only, so that it starts fast.
"""

import ast
import builtins
import importlib
import json
import os
import resource
import socket
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

CODE, TESTS = "<text>", "<tests>"

ENDED = 86
"""Exit code after a forbidden step, whose name has been sent."""

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

CHANGES = {
    *("os.chmod", "os.chown", "os.link", "os.mkdir", "os.mkfifo", "os.mknod", "os.remove", "os.rename"),
    *("os.rmdir", "os.symlink", "os.truncate", "os.utime", "os.setxattr", "os.removexattr", "shutil.rmtree"),
}
"""File system events whose first arguments are the changed paths."""

STARTS = {
    *("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn"),
    "subprocess.Popen",
}
FORBIDDEN = {
    *("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"),
    *("os.kill", "os.killpg", "signal.pthread_kill"),
    # What reveals or changes how the tests are run.
    *("sys._current_frames", "sys._current_exceptions", "gc.get_objects", "gc.get_referrers"),
    *("sys.settrace", "sys.setprofile"),
}
FRAMES = {"tb_frame", "gi_frame", "cr_frame", "ag_frame"}


class NoTests(Exception):
    """The tests themselves cannot be run."""


def main(number: int) -> None:
    """Run the order read from the socket, and answer."""
    channel = socket.socket(fileno=number)
    pieces: list[bytes] = []
    while piece := channel.recv(1 << 16):
        pieces.append(piece)
    order = json.loads(b"".join(pieces))
    secret = order.pop("secret")
    _limit(order)
    # Uses only names bound here, whatever the code does to the modules.
    send, dump, leave = channel.sendall, json.dumps, os._exit

    def answer(passed: bool | None, why: str, word: str | None = None, code: int = 0) -> None:
        """Send the answer and end the process with ``code``."""
        send(dump([word, passed, why]).encode())
        leave(code)

    try:
        run = _prepared(order)
    except NoTests as e:
        return answer(None, str(e), secret)
    _watch(order["folder"], order["processes"], lambda why: answer(False, why, code=ENDED))
    why = run()
    return answer(False, why) if why else answer(True, "", secret)


def _limit(order: dict[str, Any]) -> None:
    seconds = int(order["timeout"]) + 2
    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_DATA, order["memory"]),
        (resource.RLIMIT_FSIZE, order["files"]),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
    ):
        if most is not None:
            resource.setrlimit(what, (most, most))


def _prepared(order: dict[str, Any]) -> Callable[[], str]:
    """Return a function that runs code and tests, and returns why they failed, or "" if they passed."""
    code, source, call = order["code"], order["tests"], order["call"]
    try:
        tree = ast.parse(source, TESTS)
        _add_calls(tree, call)
        tests = compile(ast.fix_missing_locations(_Equality().visit(tree)), TESTS, "exec")
    except (SyntaxError, ValueError) as e:
        raise NoTests(f"the tests are not Python: {e}") from None
    known = {place: dict(vars(place)) for place in (builtins, *_imported(tree))}
    own = dict(vars(builtins))
    run, make = exec, compile  # in case the code replaces them
    module = types.ModuleType("solution")
    sys.modules["solution"], sys.argv = module, ["solution"]

    def changed() -> Iterator[str]:
        """Yield a description of each name of Python that the code replaced."""
        for place, names in known.items():
            for name, value in names.items():
                if vars(place).get(name, place) is not value and not name.startswith("__"):
                    yield f"changed {place.__name__}.{name}"

    def ran() -> str:
        """Run the code and the tests; return why they failed, or "" if they passed."""
        try:
            run(make(code, CODE, "exec"), vars(module))
        except BaseException as e:
            return f"the code raised {_said(e, CODE, code)}"
        for why in changed():
            return why
        # If the code redefines a Python function, the tests must still use the original.
        seen = {name: value for name, value in vars(module).items() if name not in own or name == call}
        try:
            run(tests, seen | {"__name__": "tests", "__equal__": _equal, "__case__": _case})
        except BaseException as e:
            return _said(e, TESTS, source)
        return next(changed(), "")

    return ran


class _Equality(ast.NodeTransformer):
    """Sends each ``==`` in the tests through `_equal`."""

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """Replace ``a == b`` by a call of ``__equal__``; leave other comparisons alone."""
        self.generic_visit(node)
        if len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq):
            return node
        function = ast.Name("__equal__", ast.Load())
        return ast.copy_location(ast.Call(function, [node.left, *node.comparators], []), node)


def _equal(left: Any, right: Any, type: Any = type, bool: Any = bool, object: Any = object) -> Any:
    """Return ``left == right``, but treat an object of the code that equals everything as unequal."""
    found = left == right
    for side in (left, right):
        if type(side).__module__ == "solution":
            try:
                equals_all = bool(side == object())
            except Exception:  # raised by arrays
                continue
            if equals_all:
                raise AssertionError("an object that equals everything")
    return found


def _add_calls(tree: ast.Module, call: str | None) -> None:
    """Add calls of the functions ``test_...``, of test classes, and of ``check``."""
    lines: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            if len(node.args.args) > len(node.args.defaults):
                raise NoTests(f"{node.name} takes arguments: pytest fixtures are not available")
            lines.append(f"{node.name}()")
        elif isinstance(node, ast.ClassDef) and (
            node.name.startswith("Test") or any("TestCase" in ast.unparse(base) for base in node.bases)
        ):
            names = [part.name for part in node.body if hasattr(part, "name")]  # pyright: ignore
            lines += [f"__case__({node.name}, {name!r})" for name in names if name.startswith("test")]
    if call is not None:
        lines.append(f"check({call})")
    if not tree.body:
        raise NoTests("there are no tests")
    tree.body += ast.parse("\n".join(lines)).body


def _case(kind: Any, method: str) -> None:
    """Run one method of a test class."""
    if hasattr(kind, "debug"):  # unittest: raises on failure
        kind.setUpClass()
        kind(method).debug()
    else:
        getattr(kind(), method)()


def _imported(tree: ast.Module) -> list[Any]:
    """Return the modules that the tests import, and unittest's test case class."""
    found: list[Any] = []
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        for name in names:
            if name.partition(".")[0] == "solution":
                continue
            try:
                found.append(importlib.import_module(name))
            except ImportError as e:
                raise NoTests(f"the tests import a missing module: {e}") from None
            if name == "unittest":
                found.append(found[-1].TestCase)
    return found


def _watch(folder: str, processes: int, end: Callable[[str], None]) -> None:
    """End the process on a forbidden step; a hook cannot be removed."""
    inside = (os.path.realpath(folder) + os.sep, os.devnull)
    realpath, fsdecode, frame = os.path.realpath, os.fsdecode, sys._getframe
    busy: list[bool] = []

    def outside(path: Any) -> bool:
        """Return whether ``path`` leads out of the folder, links resolved."""
        if path is None or isinstance(path, int):
            return False  # opened files have been checked already
        return not (realpath(fsdecode(path)) + os.sep).startswith(inside)

    def peeks(event: str, arguments: tuple[Any, ...]) -> bool:
        """Return whether the code looks at frames, which only modules of Python may do."""
        if event != "sys._getframe" and not (event == "object.__getattr__" and arguments[1] in FRAMES):
            return False
        if busy:
            return False
        busy.append(True)
        try:
            name = frame(3).f_code.co_filename  # above this, `wrong` and `hook`
        finally:
            busy.pop()
        return (name.startswith("<") and not name.startswith("<frozen")) or name.endswith("/inspect.py")

    def wrong(event: str, arguments: tuple[Any, ...]) -> str:
        """Return what is forbidden about an audit event, or "" if nothing is."""
        if event == "open":
            path, mode, flags = arguments
            writes = isinstance(mode, str) and set(mode) & set("wax+")
            if (writes or (flags or 0) & WRITES) and outside(path):
                return f"wrote outside its folder: {path!r}"
        elif event in CHANGES:
            if any(outside(path) for path in arguments[:2] if isinstance(path, str | bytes | os.PathLike)):
                return f"changed something outside its folder: {event}"
        elif event in FORBIDDEN or (event in STARTS and not processes):
            return f"took a forbidden step: {event}"
        elif peeks(event, arguments):
            return "looked at how the tests are run"
        return ""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        """End the process if an audit event is forbidden."""
        if why := wrong(event, arguments):
            end(why)

    sys.addaudithook(hook)


def _said(error: BaseException, file: str, source: str) -> str:
    """Return an error in one line, with the line of ``source`` that raised it."""
    name = type(error).__name__
    try:
        message = f"{name}: {error}" if str(error) else name
    except BaseException:
        message = name
    number = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            number = trace.tb_lineno
        trace = trace.tb_next
    lines = source.splitlines()
    where = f" at {lines[number - 1].strip()!r}" if number and number <= len(lines) else ""
    return " ".join(f"{message}{where}".split())[:180]


if __name__ == "__main__":
    main(int(sys.argv[1]))
