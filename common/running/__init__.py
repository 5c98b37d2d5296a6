"""From a command line to results: options, corpora with their features, tasks in processes or on a cluster."""
