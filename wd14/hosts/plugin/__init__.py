"""The classic Transformer Lab host: a plugin that the host's harness starts."""
