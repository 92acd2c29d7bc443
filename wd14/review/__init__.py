"""The review page, and the edits that come back from it."""
