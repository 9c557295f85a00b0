"""The Dagster face: assets, checks, partitions, jobs, schedules, sensors, resources.

Dagster runs the engine's stages as steps, and shows and records what they
report. What a stage does with data is left to ``engine``.
"""
