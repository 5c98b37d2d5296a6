"""What the replications share: metrics, post-processing, splits, media, training, results."""

SUITE = "avemotion"  # by which replications.check_neighbours knows this file
