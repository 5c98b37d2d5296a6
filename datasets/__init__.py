"""Readers for the corpora in the layouts in which they are distributed, and simulated ones."""

SUITE = "avemotion"  # by which replications.check_neighbours knows this file from that of Hugging Face's package
