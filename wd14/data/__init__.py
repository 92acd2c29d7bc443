"""Datasets: reading the source, writing the output, reporting what became of every row."""
