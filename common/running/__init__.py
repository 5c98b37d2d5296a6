"""From a command line to result files: options, tasks in processes or on a cluster, files written whole."""
