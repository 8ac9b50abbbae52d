"""Which services are noticed when a target reaches them, and which sockets are rightly left alone: real ones."""

from __future__ import annotations

import contextlib
import itertools
import socket
import socketserver
import sys
import threading

import pytest
from assess.a_system import System, run_python
from rollout.test_opened import reads

from plimsoll.assembly.checking import OPENED
from plimsoll.engine.load_request import HttpTarget
from plimsoll.rollout import OpenedFiles, Reached

TOP = "import asyncio, socket, urllib.request\nPORT = {port}\n"


class Echo(socketserver.BaseRequestHandler):
    """Says something to whoever comes."""

    def handle(self):
        with contextlib.suppress(OSError):
            self.request.settimeout(5)
            self.request.recv(1000)
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@pytest.fixture(scope="module")
def port():
    with Server(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def outside(tmp_path, port):
    """What a target reaches that its manifest does not declare; a project of its own each time."""
    numbers = itertools.count()

    def look(how, *, services=(), top="", meanwhile=lambda _: None):
        system = System(tmp_path / f"s-{next(numbers)}", reads(how, top=TOP.format(port=port) + top))
        system.change("target", "services", to=list(services) or None)
        project = system.project()
        _ = project.release
        project.watch(OPENED)
        try:
            predict = project.load_target().call
            meanwhile(project)
            predict({"number": 1})
        finally:
            OPENED.stop()
        return [name.removeprefix("service:") for name in project.uncovered(OPENED)]

    return look


CONNECT = "socket.create_connection(('127.0.0.1', PORT)).close()"


@pytest.mark.parametrize(
    "how",
    [
        CONNECT,
        "with socket.socket() as s: s.connect(('127.0.0.1', PORT))",
        "with socket.socket() as s: s.connect((b'127.0.0.1', PORT))",
        "with socket.socket() as s: s.connect((bytearray(b'127.0.0.1'), PORT))",
        "with socket.socket() as s: s.connect_ex(('127.0.0.1', PORT))",
        "with socket.socket(socket.AF_INET6) as s: s.connect_ex(('::ffff:127.0.0.1', PORT))",
        "urllib.request.urlopen(f'http://127.0.0.1:{PORT}/').close()",
        "import http.client; c = http.client.HTTPConnection('127.0.0.1', PORT); c.connect(); c.close()",
        f"t = threading.Thread(target=lambda: {CONNECT}); t.start(); t.join()",
        "import concurrent.futures as c\nwith c.ThreadPoolExecutor() as p: p.submit(socket.create_connection, ('127.0.0.1', PORT)).result().close()",
        "with socket.socket(type=socket.SOCK_DGRAM) as s: s.sendto(b'x', ('127.0.0.1', PORT))",
        "with socket.socket(type=socket.SOCK_DGRAM) as s: s.sendmsg([b'x'], [], 0, ('127.0.0.1', PORT))",
        "with socket.socket(type=socket.SOCK_DGRAM) as s: s.connect(('127.0.0.1', PORT)); s.send(b'x')",
        "exec('socket.create_connection((\"127.0.0.1\", PORT)).close()')",
    ],
)
def test_however_it_is_reached_it_is_noticed(outside, port, how):
    assert outside(how) == [f"127.0.0.1:{port}"]


ASYNC = """
async def reach():
    async def alone():
        _, writer = await asyncio.open_connection("127.0.0.1", PORT)
        writer.close()
        await writer.wait_closed()
    {how}
asyncio.run(reach())
"""


@pytest.mark.parametrize(
    "how",
    [
        "await alone()",
        "await asyncio.wait_for(alone(), 5)",
        "await asyncio.gather(alone())",
        "asyncio.get_running_loop().call_soon(lambda: socket.create_connection(('127.0.0.1', PORT)).close()); await asyncio.sleep(0.05)",
        "await asyncio.to_thread(lambda: socket.create_connection(('127.0.0.1', PORT)).close())",
        "(await asyncio.wait_for(asyncio.open_connection('127.0.0.1', PORT), 5))[1].close()",
        "(await asyncio.gather(asyncio.open_connection('127.0.0.1', PORT)))[0][1].close()",
    ],
)
def test_from_an_event_loop_too(outside, port, how):
    assert outside(ASYNC.format(how=how)) == [f"127.0.0.1:{port}"]


def test_a_task_that_only_the_library_stands_under_is_the_targets_where_our_own_loop_runs_it(tmp_path, port):
    """As in the process under load: the loop is ours, and what the target schedules on it is the target's."""
    system = System(
        tmp_path / "s",
        TOP.format(port=port)
        + "async def predict(record):\n"
        + "    _, writer = await asyncio.wait_for(asyncio.open_connection('127.0.0.1', PORT), 5)\n"
        + "    writer.close()\n"
        + "    return {'parity': 'odd' if record['number'] % 2 else 'even'}\n",
    )
    system.change("load", "peak", to="20/s")
    conditions = [*system.manifest["threshold"]["conditions"], "stability.error_rate <= 50%"]
    system.change("threshold", "conditions", to=conditions)
    code = """
        import asyncio, sys, threading, time
        from pathlib import Path
        from plimsoll.assembly.load_host import host
        from plimsoll.assembly.project import Project
        from plimsoll.assess.run import About, Run
        from plimsoll.engine.cell import HEADER
        import socket
        project = Project(Path(sys.argv[1]))
        with project.open_ledger() as ledger:
            release = project.release.digest
            run = Run(ledger, About(system="parity", release=release, threshold="", people=""), assessment="stability", protocol={})
            run.__enter__()
        path = str(project.folder / "socket")
        def ask():
            with socket.socket(socket.AF_UNIX) as asking:
                while asking.connect_ex(path):
                    time.sleep(0.01)
                record = b"tell\\0counter\\0" + b'{"number": 1}'
                asking.sendall(HEADER.pack(len(record), 0) + record)
                print(asking.recv(100)[HEADER.size:].decode())
        asker = threading.Thread(target=ask, daemon=True)
        asker.start()
        host(project.file, project.state, run.id, path)
        asker.join()
        with project.open_ledger(read_only=True) as ledger:
            for entry in ledger.entries(kinds=("release.uncovered",)):
                print(ledger.body(entry).decode())
    """
    done = run_python(code, system.project().file, cwd=system.folder)
    assert done.returncode == 0, done.stderr
    assert '"answered"' in done.stdout
    assert f"service:127.0.0.1:{port}" in done.stdout


def test_a_name_that_is_looked_up_for_a_port_is_a_service_even_if_other_code_connects(outside, port):
    assert outside("socket.getaddrinfo('localhost', PORT)") == [f"localhost:{port}"]


@pytest.mark.parametrize("port_of_it", ["None", "0", "'0'"])
def test_a_name_that_is_looked_up_for_no_port_is_none(outside, port_of_it):
    assert outside(f"socket.getaddrinfo('localhost', {port_of_it})") == []


@pytest.mark.parametrize(
    "how",
    [
        "socket.create_connection(('LocalHost', PORT)).close()",
        "urllib.request.urlopen(f'http://localhost:{PORT}/').close()",
        ASYNC.format(how="await alone()").replace("127.0.0.1", "localhost"),
        ASYNC.format(how="await asyncio.gather(alone())").replace("127.0.0.1", "localhost"),
    ],
)
def test_who_connects_by_name_is_told_the_name(outside, port, how):
    assert {name for name in outside(how) if not name.startswith("[::1]")} == {f"localhost:{port}"}


@pytest.mark.parametrize("declared", ["127.0.0.1:{port}", "127.0.0.1:*", "localhost:{port}", "LOCALHOST.:*"])
def test_a_declared_service_is_covered(outside, port, declared):
    assert outside(CONNECT, services=[declared.format(port=port)]) == []


def test_a_declared_name_stands_for_its_addresses_and_no_others(outside, port):
    services = [f"localhost:{port}"]
    assert outside("socket.create_connection(('localhost', PORT)).close()", services=services) == []
    other = "with socket.socket() as s: s.settimeout(1); s.connect_ex(('127.0.0.2', PORT))"
    assert outside(other, services=services) == [f"127.0.0.2:{port}"]


def test_another_port_is_another_service(outside, port):
    assert outside(CONNECT, services=[f"127.0.0.1:{port + 1}"]) == [f"127.0.0.1:{port}"]


def test_a_service_that_does_not_answer_was_asked(outside):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        free = taken.getsockname()[1]
        assert outside(f"with socket.socket() as s: s.connect_ex(('127.0.0.1', {free}))") == [f"127.0.0.1:{free}"]


def test_what_is_reached_while_the_target_is_imported_is_noticed(outside, port):
    assert outside("pass", top=CONNECT) == [f"127.0.0.1:{port}"]


@pytest.fixture
def unix_socket(tmp_path):
    path = tmp_path / "model.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield path
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("how", ["{path!r}", "{path!r}.encode()", "bytearray({path!r}.encode())"])
def test_a_unix_socket_is_a_service(outside, unix_socket, how):
    connect = f"with socket.socket(socket.AF_UNIX) as s: s.connect({how.format(path=str(unix_socket))})"
    assert outside(connect) == [f"unix:{unix_socket}"]
    assert outside(connect, services=[f"unix:{unix_socket}"]) == []


def test_a_unix_socket_without_a_file_is_one_too(outside):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0plimsoll-test-abstract")
        server.listen()
        how = "with socket.socket(socket.AF_UNIX) as s: s.connect('\\0plimsoll-test-abstract')"
        assert outside(how) == ["unix:@plimsoll-test-abstract"]
        assert outside(how, services=["unix:@plimsoll-test-abstract"]) == []


@pytest.mark.parametrize(
    "how",
    [
        "a, b = socket.socketpair(); a.close(); b.close()",
        "with socket.socket() as s: s.bind(('127.0.0.1', 0)); s.listen()",
        "socket.gethostname(); socket.getfqdn()",
        "asyncio.run(asyncio.sleep(0))",
        "import multiprocessing as m\nwith m.get_context('spawn').Manager() as manager: manager.list([1])",
        "import logging.handlers as h; h.SysLogHandler('/dev/log').close() if os.path.exists('/dev/log') else 0",
    ],
)
def test_what_is_no_service_or_the_process_itself_is_left_alone(tmp_path, how):
    """In a process of its own, as multiprocessing needs it."""
    system = System(tmp_path / "s", reads(how, top=TOP.format(port=0)))
    code = """
        import sys
        from pathlib import Path
        from plimsoll.assembly.checking import OPENED
        from plimsoll.assembly.project import Project
        if __name__ == "__main__":
            project = Project(Path(sys.argv[1]))
            project.release
            project.watch(OPENED)
            project.load_target().call({"number": 1})
            OPENED.stop()
            print([name for name in project.uncovered(OPENED) if name.startswith("service:")])
    """
    script = system.write("look.py", "\n".join(line[8:] for line in code.splitlines()))
    done = run_python(f"import runpy, sys; sys.argv[0] = {str(script)!r}; runpy.run_path({str(script)!r}, run_name='__main__')", system.project().file, cwd=system.folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_our_own_sockets_do_not_count(outside, port, tmp_path):
    """The load driver's, those of the process under load, and a lookup of ours."""

    def meanwhile(_):
        import asyncio  # noqa: PLC0415 - what the driver runs on, beside its use

        from plimsoll.engine.load_cell import CellLink, CellTarget  # noqa: PLC0415
        from plimsoll.engine.load_http import HttpLink  # noqa: PLC0415

        async def drive():
            http = HttpLink(HttpTarget(url=f"http://127.0.0.1:{port}/"), [b"{}"])
            await http.open()
            await http.close()
            code = (
                "import sys\nfrom plimsoll.engine.cell import serve_cell\nserve_cell(sys.argv[1], lambda _: 'answered')"
            )
            cell = CellLink(CellTarget(argv=(sys.executable, "-c", code)), [b"{}"])
            await cell.open()
            await cell.close()

        asyncio.run(drive())

    assert outside("pass", meanwhile=meanwhile) == []


@pytest.mark.parametrize("weird", ["5", "()", "('127.0.0.1',)", "('127.0.0.1', 'x')", "None", "('', -1)"])
def test_an_address_that_is_none_is_the_targets_error_and_not_ours(outside, weird):
    how = f"""
    with socket.socket() as s:
        try:
            s.connect({weird})
        except (TypeError, OverflowError) as error:
            assert "address" in str(error) or "port" in str(error) or "integer" in str(error), repr(error)
    """
    outside(how)


def test_nobody_can_hide_a_service_behind_very_many_others():
    watch = OpenedFiles(most=5)
    watch.start(services=[])
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        for number in range(1, 9):
            sock.sendto(b"x", ("127.0.0.1", number))
    watch.stop()
    assert len(watch.services()) == 6
    assert "more than 5 different ones" in watch.services()


def test_an_address_is_taken_for_a_declared_name_when_it_is_reached_and_not_later():
    """A name that leads elsewhere after a while led here then; one that never did stays apart."""
    now = {"a.example": frozenset({"10.0.0.1"})}
    reached = Reached(10, lambda name: now.get(name, frozenset()))
    reached.expect(["a.example:443", "b.example:443", "10.9.9.9:1"])
    reached.note("10.0.0.1:443")
    now["a.example"] = frozenset({"10.0.0.2"})
    reached.note("10.0.0.2:443")
    reached.note("10.0.0.3:443")
    reached.note("10.0.0.1:80")
    assert reached.services == {"a.example:443", "10.0.0.3:443", "10.0.0.1:80"}


def test_who_declares_a_service_after_it_was_reached_need_not_start_anew():
    reached = Reached(10, lambda name: frozenset({"10.0.0.1"}) if name == "a.example" else frozenset())
    reached.note("10.0.0.1:443")
    assert reached.services == {"10.0.0.1:443"}
    reached.expect(["a.example:443"])
    assert reached.services == {"a.example:443"}
    reached.expect([])
    assert reached.services == {"10.0.0.1:443"}
