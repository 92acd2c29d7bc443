"""Compares what a model says with what captions say: histograms, measures, the best thresholds."""
