"""Speed and memory, measured: each module prints its table when run."""
