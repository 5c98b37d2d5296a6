"""Tables, figures and verdicts from paper.toml and result files. Trains nothing and imports no TensorFlow."""
