"""From paper.toml and result files to scores, intervals, verdicts and claims. No TensorFlow."""
