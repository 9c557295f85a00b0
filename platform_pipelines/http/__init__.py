"""Speaking HTTP: one client with authentication, pace, retries and limits; connectors decide what to ask."""
