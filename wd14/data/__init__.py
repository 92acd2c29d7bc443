"""The datasets: what goes in, what comes out, and what happened on the way."""
