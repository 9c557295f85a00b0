"""Help for tests of connectors, for use with pytest; nothing in the platform itself needs it."""
