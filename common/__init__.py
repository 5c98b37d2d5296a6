"""What the replications share: metrics, post-processing, splits, media, training, results."""
