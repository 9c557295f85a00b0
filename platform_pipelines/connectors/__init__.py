"""One module per system; nothing is imported here, so that a connector costs only when it is used."""
