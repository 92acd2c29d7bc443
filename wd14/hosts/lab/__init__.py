"""The current Transformer Lab: a task that speaks to the host through the `lab` SDK."""
