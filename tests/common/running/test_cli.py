"""Command lines: exit codes for scripts, one line on stderr for people, tracebacks for defects only."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import EXIT_DIFFERS, InputError, UserError, WriteError
from common.running import cli

ROOT = Path(__file__).parents[3]


def raising(error):
    def main():
        raise error

    return main


def test_success_and_codes_of_main(capsys):
    assert [cli.run(lambda code=code: code) for code in (None, 0, EXIT_DIFFERS)] == [0, 0, 1]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (
            InputError("labels/Train_01.csv: is empty;\n  restore it"),
            3,
            "labels/Train_01.csv: is empty; restore it",
        ),
        (UserError("a worker was killed"), 3, "a worker was killed"),
        (WriteError("results: cannot be written"), 4, "results: cannot be written"),
        (KeyboardInterrupt(), 130, "interrupted; what is finished is kept"),
        (OSError(errno.ENOSPC, "No space left on device", "cache/a.npy"), 4, "cache/a.npy: No space left on device"),
        (OSError(errno.ENOSPC, "No space left on device"), 4, "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "cache"), 4, "cache: Permission denied"),
        (OSError(errno.EROFS, "Read-only file system", "cache"), 4, "cache: Read-only file system"),
    ],
)
def test_one_line_on_stderr_and_the_code(capsys, error, code, words):
    assert cli.run(raising(error)) == code
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("error: ") and words in err


@pytest.mark.parametrize("error", [ValueError("a defect"), OSError(errno.EIO, "Input/output error"), SystemExit(2)])
def test_what_the_user_cannot_mend_is_not_hidden(error):
    with pytest.raises(type(error)):
        cli.run(raising(error))


def test_a_reader_that_leaves_early_is_no_error():
    program = "from common.running import cli; raise SystemExit(cli.run(lambda: print('line\\n' * 100_000)))"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", program], stdout=write, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
