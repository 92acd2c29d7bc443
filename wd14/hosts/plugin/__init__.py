"""The classic Transformer Lab host, which runs plugins."""
