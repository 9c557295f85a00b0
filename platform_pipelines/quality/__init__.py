"""Quality: rules over the rows of a batch, the gate, and the schema contract."""
