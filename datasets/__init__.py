"""Readers for the corpora in the layouts in which they are distributed, and simulated ones."""
