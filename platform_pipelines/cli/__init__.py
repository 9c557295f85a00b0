"""The command line: `pipelines COMMAND`, one file per command.

Commands parse, call the engine and show. What a run does is left to ``engine``,
what a pipeline may say to ``spec``.
"""
