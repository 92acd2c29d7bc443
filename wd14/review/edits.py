"""`edits.json`: reading it, and the edits of each picture."""
