"""Scores against captions that are right: counts, measures, the best thresholds. Pure functions over scores."""
