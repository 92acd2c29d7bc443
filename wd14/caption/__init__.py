"""From scores to tags to text: pure functions."""
