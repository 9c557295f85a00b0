"""The Python API: run a pipeline from a notebook or another program, without Dagster.

What a run does is left to ``engine``, what a pipeline may say to ``spec``.
"""
