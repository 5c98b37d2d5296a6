"""Rendered faces and synthetic speech that follow an affect script, written in the layouts of the real corpora."""
