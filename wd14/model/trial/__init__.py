"""Which runtime is fastest for a model on this machine, found by measuring."""
