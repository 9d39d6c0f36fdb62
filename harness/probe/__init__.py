"""Ready? Right answers? CPU, memory, share of each worker: what is seen of a launched process from outside."""
