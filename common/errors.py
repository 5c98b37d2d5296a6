"""Errors that the user can mend, each one line that names the file and the remedy, and exit codes for scripts."""

EXIT_DIFFERS = 1  # `--check` found a number that moved, or `datasets.check` a gap
EXIT_USAGE = 2  # argparse uses the same
EXIT_INPUT = 3  # a corpus, a file or a setting cannot be used
EXIT_WRITE = 4  # results cannot be written
EXIT_INTERRUPTED = 130


class UserError(Exception):
    """Something that the user can mend: the message is one line that names the file and the remedy."""

    exit_code = EXIT_INPUT


class InputError(UserError):
    """A file or folder that cannot be used as input."""


class WriteError(UserError):
    """A file or folder that cannot be written."""

    exit_code = EXIT_WRITE


class Interrupted(UserError):
    """Ctrl-C, where there is more to say than what `run` says of it."""

    exit_code = EXIT_INTERRUPTED
