"""The audit: do the numbers that a paper prints go together? Arithmetic on `paper.toml`, and nothing else.

- A row of a confusion matrix is of whole things. Which numbers of them are printed as these percentages, rounded or
  cut off? If none are: is one thing in no cell, or is one cell a misprint? Which rows together have the quoted accuracy?
- Percentages of the same things need a number of things that all of them can be shares of.
- Averages average, and a number that is printed twice is printed alike.
- RMSE, CC and CCC of one row allow certain standard deviations of the labels only, and so do all rows together.
- What the text states of numbers holds, or does not: the claims of `paper.toml` that are arithmetic.

Nothing is known of a particular paper here: what the numbers are of stands in `paper.toml`.
"""
