"""Several models for one dataset: one vocabulary, votes, and what they disagree on. Pure functions over scores."""
