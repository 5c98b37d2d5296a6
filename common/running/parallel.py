"""Calls in processes of their own, through joblib; Ctrl-C is left to the process that asked for them."""

import signal
import warnings
from collections.abc import Iterable, Iterator
from multiprocessing import resource_tracker


def parallel(calls: Iterable, jobs: int, ordered: bool = True, **options) -> Iterator:
    """What `calls`, made with joblib.delayed, return, one after the other; `options` are those of joblib.Parallel.

    A terminal sends Ctrl-C to every process. The workers inherit a mask that keeps it from them, so that they print no
    tracebacks: it ends this process, and joblib then kills them. A worker that has grown, as it does by TensorFlow, is
    replaced by joblib between two calls; nothing is lost, and the warning says nothing that one could act on.
    """
    from joblib import Parallel

    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor")
    resource_tracker.ensure_running()  # by itself it would start below, and lift the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return Parallel(n_jobs=jobs, return_as="generator" if ordered else "generator_unordered", **options)(calls)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
