"""The current Transformer Lab host, which runs tasks."""
