"""Command lines that end well: one-line errors, exit codes for scripts, Ctrl-C without a traceback."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

from common.errors import EXIT_INPUT, EXIT_INTERRUPTED, EXIT_WRITE, UserError

UNWRITABLE = {  # what the user can mend
    *(errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM),
    *(errno.EROFS, errno.ENOTDIR, errno.EEXIST),
}


def choose_cache_folder() -> Path:
    """Where simulated corpora, features and downloads are kept unless the user says otherwise."""
    return Path(os.environ.get("AVEMOTION_CACHE") or Path.home() / ".cache" / "avemotion")


def run(main: Callable[[], int | None]) -> int:
    """Call `main` and return its exit code; errors that the user can mend become one line on stderr."""
    try:
        return main() or 0
    except UserError as error:
        message, code = str(error), error.exit_code
    except KeyboardInterrupt:
        message, code = "interrupted; what is finished is kept, the same command goes on from there", EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe, `head` say, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        code = EXIT_WRITE
        message = f"{error.filename or 'a file'}: {error.strerror}; free some space or choose another folder"
    except Exception as error:
        if type(error).__name__ != "TerminatedWorkerError":  # joblib's, which is not imported for its name alone
            raise
        code = EXIT_INPUT
        message = (
            "a worker process was killed, perhaps for want of memory; the same command goes on, --jobs 1 needs less"
        )
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return code
