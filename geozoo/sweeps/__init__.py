"""Several runs planned, started and compared by one command."""
