"""One module for each way in which people keep image datasets; `base.Layout` is what all of them offer."""
