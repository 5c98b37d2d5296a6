"""Download what is public of a corpus, each file checked by SHA-256: python -m datasets.fetch avec2019

A second call goes on where the first one stopped. Exit codes: 0 done, 2 wrong usage, 3 a file cannot be had,
4 it cannot be written, 130 interrupted.
"""

import argparse
import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from common.errors import InputError
from common.running import cli

# NAME.sha256 beside this module lists the files of each: SHA-256, two spaces, path below the address
SOURCES = {  # a commit that holds the files whose hashes are in the manifest
    "avec2019": "https://raw.githubusercontent.com/AudioVisualEmotionChallenge/AVEC2019/45843ab16dc4276fdc3cb2e92fc26059c29e7acd",
}
NOTICES = {
    "avec2019": "The organisers' repository states no licence: use the files to verify results, do not pass them on.",
}
AT_A_TIME = 6
TRIES = 4
PAUSE = 0.5  # seconds before the second try, doubled before each further one
TIMEOUT = 30  # seconds without an answer
CHUNK = 1 << 16


class TransferError(Exception):
    """A transfer that ended early or never began; another try may do better."""


def main() -> int:
    options = build_parser().parse_args()
    folder = options.cache / "public" / options.corpus
    print(NOTICES[options.corpus])
    fetched = fetch(read_manifest(options.corpus), options.mirror or SOURCES[options.corpus], folder)
    print(f"{folder}: complete, {fetched} files downloaded")
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m datasets.fetch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", choices=list(SOURCES))
    parser.add_argument(
        "--cache",
        type=Path,
        default=cli.choose_cache_folder(),
        metavar="DIR",
        help="into DIR/public/CORPUS (default $AVEMOTION_CACHE or ~/.cache/avemotion)",
    )
    parser.add_argument("--mirror", metavar="URL", help="another address of the same tree of files")
    return parser


def read_manifest(corpus: str) -> dict[str, str]:
    """Path -> SHA-256 of each public file of `corpus`. Raises InputError for a line that names none below a folder."""
    file = Path(__file__).with_name(f"{corpus}.sha256")
    return parse_manifest(file.read_text(encoding="utf-8"), str(file))


def parse_manifest(text: str, name: str) -> dict[str, str]:
    """The same from the `text` that sha256sum prints."""
    files = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](\S.*)", line)
        if not match or "\\" in line or {"..", "/"} & set(PurePosixPath(match[2]).parts):
            raise InputError(
                f"{name}: line {number} is not a SHA-256 and a path below a folder; install the suite again"
            )
        files[match[2]] = match[1]
    return files


def fetch(files: dict[str, str], base: str, folder: Path) -> int:
    """Bring `files`, path -> SHA-256, from below the address `base` into `folder`; returns how many were not there.

    Raises InputError for a file that cannot be had; what is whole stays, and what is begun is gone on with later.
    """
    from tqdm import tqdm

    if not base.startswith(("http://", "https://")):
        raise InputError(f"{base}: is no http(s) address; name one with --mirror")
    todo = {path: sha256 for path, sha256 in files.items() if find_problem(folder / path, sha256)}
    with (
        tqdm(desc="downloading", total=len(files), initial=len(files) - len(todo), unit="file", leave=False) as bar,
        ThreadPoolExecutor(AT_A_TIME) as pool,
    ):
        jobs = [
            pool.submit(download, f"{base.rstrip('/')}/{quote(path)}", folder / path, sha256)
            for path, sha256 in todo.items()
        ]
        try:
            for job in as_completed(jobs):
                job.result()
                bar.update()
        except BaseException:  # also Ctrl-C: those under way end, no other begins
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return len(todo)


def find_problem(path: Path, sha256: str) -> str | None:
    """What is wrong with the file, in one line; None when it is whole."""
    found = _hash_file(path)
    if found == sha256:
        return None
    return f"{path}: missing" if found is None else f"{path}: is not the published file (SHA-256); fetch it again"


def download(url: str, path: Path, sha256: str) -> None:
    """Bring one file; it gets its name when its hash is right, until then it is `path` with .part. Raises InputError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    for tried in range(TRIES):
        time.sleep(PAUSE * 2 ** (tried - 1) if tried else 0)
        try:
            if _hash_file(part) != sha256:
                receive(url, part)
        except TransferError as error:
            reason = str(error)
            continue
        if _hash_file(part) == sha256:
            os.replace(part, path)
            return
        part.unlink()
        reason = "what comes is not the published file (SHA-256)"
    raise InputError(f"{url}: {reason}; try again later, or name another address with --mirror")


def receive(url: str, part: Path) -> None:
    """Fill `part`, from where it ends if the server can. Raises TransferError, and InputError where no retry helps."""
    size = part.stat().st_size if part.exists() else 0
    try:
        request = urllib.request.Request(url, headers={"Range": f"bytes={size}-"} if size else {})
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except ValueError as error:
        raise InputError(f"{url}: is no address ({error}); name another with --mirror") from error
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # nothing follows: `part` is as long as the file, or longer, and its hash is wrong
            part.unlink()
            raise TransferError("begun with other content") from error
        if error.code < 500 and error.code not in (408, 429):
            raise InputError(f"{url}: HTTP {error.code} {error.reason}; name another address with --mirror") from error
        raise TransferError(f"HTTP {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise TransferError(f"no connection ({getattr(error, 'reason', error)})") from error
    goes_on = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {size}-")
    with response, part.open("ab" if goes_on else "wb") as file:
        while chunk := _read(response):
            file.write(chunk)
    if response.length:  # bytes that were announced and did not come
        raise TransferError("the transfer ended early")


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise TransferError(f"the transfer broke off ({error})") from error


def _hash_file(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
