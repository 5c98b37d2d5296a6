"""The figures of a report, drawn with matplotlib from result files and from what the rooms say of their networks."""
