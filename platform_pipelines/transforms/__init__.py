"""Transforms: what happens to the rows of a batch before the quality rules, one file per kind."""
