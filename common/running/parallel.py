"""Calls in processes of their own, through joblib, where Ctrl-C is left to the process that asked; or one call ahead."""

import signal
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
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


def run_ahead(items: Iterator) -> Iterator:
    """`items`, made in a thread of its own, one item ahead of its use."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item
