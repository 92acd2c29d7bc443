"""Scores of earlier runs, so that new thresholds need no model."""
