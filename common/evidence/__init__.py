"""From paper.toml and result files to scores, intervals, verdicts and claims. No TensorFlow.

What is printed: `paper` (the data), `reading` and `rules` (a paper.toml into it), `settings` (their values),
`arithmetic` (on printed numbers). What we have: `runs` (which count), `scores`, `cells` (beside the printed numbers, with
verdicts), `claims`, `text`; each uses those before it. `bootstrap` makes the intervals of mechanisms.
"""
