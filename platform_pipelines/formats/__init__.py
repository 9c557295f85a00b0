"""What connectors share below the systems: file formats, table folders, versions of rows.

Configuration and offsets are left to the connectors, SQL dialects to ``sql``.
"""
