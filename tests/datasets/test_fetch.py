"""The download against a server on this machine: whole, continued, truncated, refused, wrong."""

import hashlib
import re
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from common.errors import InputError
from common.running import cli
from datasets import avec2019_public, fetch

ROOT = Path(__file__).parents[2]
FILES = {
    "Baseline_systems/CES/labels_devel/Devel_DE_01.csv": np.random.default_rng(1).bytes(3000),
    "Baseline_systems/CES/labels_devel/Devel_DE_02.csv": np.random.default_rng(2).bytes(2000),
    "a name/x#y.csv": b"name;timestamp\n",
    "empty.csv": b"",
}
WANTED = {path: hashlib.sha256(content).hexdigest() for path, content in FILES.items()}
FIRST = next(iter(FILES))


class Server(ThreadingHTTPServer):
    """Serves `files`; notes every request; `ranges`, `cut`, `fail` and `status` say how it misbehaves."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.requests, self.ranges, self.cut, self.fail = dict(FILES), [], True, 0, []

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/commit"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, path = self.server, unquote(self.path).removeprefix("/commit/")
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        server.requests.append((path, start))
        if server.fail:
            return self.send_error(server.fail.pop())
        if path not in server.files:
            return self.send_error(404)
        content = server.files[path]
        if server.ranges and start:
            if start >= len(content):
                return self.send_error(416)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            content = content[start:]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if server.cut and len(content) > 1000:  # announces all, sends a part and hangs up
            server.cut -= 1
            content = content[:1000]
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(fetch, "PAUSE", 0.01)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def there(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_files_arrive_and_a_second_call_asks_for_nothing(server, tmp_path):
    assert fetch.fetch(WANTED, server.base + "/", tmp_path) == len(FILES)
    assert there(tmp_path) == FILES
    asked = len(server.requests)
    assert fetch.fetch(WANTED, server.base, tmp_path) == 0
    assert len(server.requests) == asked == len(FILES)


def test_only_what_is_missing_or_changed_is_fetched_again(server, tmp_path):
    fetch.fetch(WANTED, server.base, tmp_path)
    server.requests.clear()
    (tmp_path / FIRST).write_bytes(FILES[FIRST][:-1] + b"x")
    assert fetch.fetch(WANTED, server.base, tmp_path) == 1
    assert server.requests == [(FIRST, 0)] and there(tmp_path) == FILES


def begun(folder: Path, content: bytes) -> Path:
    """What a run that was killed leaves behind."""
    part = folder / f"{FIRST}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(content)
    return part


def test_a_begun_file_is_gone_on_with(server, tmp_path):
    begun(tmp_path, FILES[FIRST][:1234])
    fetch.fetch(WANTED, server.base, tmp_path)
    assert (FIRST, 1234) in server.requests and there(tmp_path) == FILES


def test_a_server_without_ranges_begins_again(server, tmp_path):
    server.ranges = False
    begun(tmp_path, FILES[FIRST][:1234])
    fetch.fetch(WANTED, server.base, tmp_path)
    assert there(tmp_path) == FILES


def test_a_file_that_only_lacks_its_name_is_not_fetched(server, tmp_path):
    begun(tmp_path, FILES[FIRST])
    fetch.fetch(WANTED, server.base, tmp_path)
    assert FIRST not in {path for path, _ in server.requests} and there(tmp_path) == FILES


@pytest.mark.parametrize("content", [b"of another file", FILES[FIRST] + b"more", b"x" * len(FILES[FIRST])])
def test_a_begun_file_of_other_content_never_gets_the_name(server, tmp_path, content):
    begun(tmp_path, content)
    fetch.fetch(WANTED, server.base, tmp_path)
    assert there(tmp_path) == FILES


@pytest.mark.parametrize("ranges", [True, False], ids=["continued", "begun again"])
def test_a_truncated_transfer_is_tried_again(server, tmp_path, ranges):
    server.ranges, server.cut = ranges, 2
    fetch.fetch({FIRST: WANTED[FIRST]}, server.base, tmp_path)
    starts = [start for _, start in server.requests]
    assert starts == [0, 1000, 2000 if ranges else 1000] and there(tmp_path) == {FIRST: FILES[FIRST]}


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_passing_fault_of_the_server_is_waited_for(server, tmp_path, status):
    server.fail = [status, status]
    fetch.fetch({FIRST: WANTED[FIRST]}, server.base, tmp_path)
    assert len(server.requests) == 3 and there(tmp_path) == {FIRST: FILES[FIRST]}


def fails(server, tmp_path, words: str, base: str | None = None) -> None:
    with pytest.raises(InputError) as caught:
        fetch.fetch({FIRST: WANTED[FIRST]}, base or server.base, tmp_path)
    message = str(caught.value)
    assert words in message and "--mirror" in message and "\n" not in message and FIRST not in there(tmp_path)


def test_a_transfer_that_always_ends_early(server, tmp_path):
    server.ranges, server.cut = False, 99
    fails(server, tmp_path, f"{server.base}/{FIRST}: the transfer ended early")
    assert len(server.requests) == fetch.TRIES
    server.cut = 0  # and on another day
    assert fetch.fetch({FIRST: WANTED[FIRST]}, server.base, tmp_path) == 1


def test_a_file_of_other_content(server, tmp_path):
    server.files[FIRST] = b"<html>please log in</html>"
    fails(server, tmp_path, f"{server.base}/{FIRST}: what comes is not the published file (SHA-256)")
    assert there(tmp_path) == {}


def test_a_file_that_the_server_does_not_have(server, tmp_path):
    del server.files[FIRST]
    fails(server, tmp_path, f"{server.base}/{FIRST}: HTTP 404")
    assert len(server.requests) == 1  # asking again would not help


def test_one_failure_keeps_the_files_that_arrived(server, tmp_path):
    del server.files[FIRST]
    with pytest.raises(InputError):
        fetch.fetch(WANTED, server.base, tmp_path)
    server.files[FIRST] = FILES[FIRST]
    before = len(there(tmp_path))
    assert fetch.fetch(WANTED, server.base, tmp_path) == len(FILES) - before
    assert there(tmp_path) == FILES


def test_a_refused_connection(server, tmp_path):
    with Server() as closed:
        base = closed.base
    fails(server, tmp_path, "no connection ([Errno 111] Connection refused)", base)


def test_a_server_that_does_not_answer(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        fails(server, tmp_path, "no connection (timed out)", f"http://127.0.0.1:{silent.getsockname()[1]}")


@pytest.mark.parametrize("base", ["file:///etc", "avec2019", "ftp://127.0.0.1"])
def test_an_address_that_is_none(server, tmp_path, base):
    fails(server, tmp_path, "is no http(s) address", base)


# the command


def run(monkeypatch, capsys, *arguments) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["fetch", *map(str, arguments)])
    code = cli.run(fetch.main)
    return (code, *capsys.readouterr())


def test_the_command_says_where_the_files_are_and_that_no_licence_is_stated(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fetch, "read_manifest", lambda corpus: WANTED)
    code, out, _ = run(monkeypatch, capsys, "avec2019", "--cache", tmp_path, "--mirror", server.base)
    folder = tmp_path / "public" / "avec2019"
    assert code == 0 and there(folder) == FILES
    assert "states no licence" in out and f"{folder}: complete, {len(FILES)} files downloaded" in out
    monkeypatch.delenv("AVEMOTION_DATA", raising=False)
    assert avec2019_public.find(tmp_path) == folder


def test_the_command_ends_with_one_line_and_code_3(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fetch, "read_manifest", lambda corpus: {"absent.csv": "0" * 64})
    code, _, err = run(monkeypatch, capsys, "avec2019", "--cache", tmp_path, "--mirror", server.base)
    assert code == 3 and err.splitlines()[-1].startswith("error: http://127.0.0.1") and "Traceback" not in err


def test_a_cache_that_cannot_be_written_is_code_4(server, tmp_path, monkeypatch, capsys):
    (tmp_path / "public").write_text("a file where a folder should be")
    monkeypatch.setattr(fetch, "read_manifest", lambda corpus: WANTED)
    code, _, err = run(monkeypatch, capsys, "avec2019", "--cache", tmp_path, "--mirror", server.base)
    assert code == 4 and "Traceback" not in err


def test_help_and_wrong_usage():
    for arguments, code in ((["--help"], 0), ([], 2), (["sewa"], 2)):
        done = subprocess.run([sys.executable, "-m", "datasets.fetch", *arguments], capture_output=True, cwd=ROOT)
        assert done.returncode == code and b"usage: python -m datasets.fetch" in done.stdout + done.stderr


# the manifest


def test_the_manifest_lists_the_labels_and_ten_systems():
    files = fetch.read_manifest("avec2019")
    folders = {"labels_devel", *(f"baseline_predictions/predictions_{system}" for system in avec2019_public.SYSTEMS)}
    names = [f"Devel_{culture}_{number:02d}.csv" for culture in ("DE", "HU") for number in range(1, 15)]
    assert set(files) == {f"{avec2019_public.PUBLIC}/{folder}/{name}" for folder in folders for name in names}


def test_the_manifest_is_that_of_the_published_files(real_data):
    for path, sha256 in fetch.read_manifest("avec2019").items():
        assert hashlib.sha256((real_data / "avec2019" / path).read_bytes()).hexdigest() == sha256


@pytest.mark.parametrize(
    "line",
    [
        f"{'0' * 64}  /etc/passwd", f"{'0' * 64}  ../a.csv", f"{'0' * 64}  a/../../b.csv", f"{'0' * 64}  a\\..\\b.csv",
        f"{'0' * 63}  a.csv", f"{'0' * 64} a.csv", f"{'0' * 64}  ", "", "a.csv",
    ],
)  # fmt: skip
def test_a_manifest_names_files_below_the_folder_only(line):
    good = f"{'1' * 64}  a/b.csv"
    assert fetch.parse_manifest(good, "m") == {"a/b.csv": "1" * 64}
    with pytest.raises(InputError, match=re.escape("m: line 2 is not a SHA-256 and a path")):
        fetch.parse_manifest(f"{good}\n{line}\n", "m")
