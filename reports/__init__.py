"""Tables, figures and verdicts from paper.toml and result files. Trains nothing and imports no TensorFlow."""

import replications  # noqa: F401 which checks that no other `common` or `datasets` comes first
