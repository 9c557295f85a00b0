"""SQL shared by connectors: dialects, types, windows as predicates, DDL, the load script.

Connections and systems are left to the connectors.
"""
