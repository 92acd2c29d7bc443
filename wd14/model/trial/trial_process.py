"""A process that tries one candidate: opens it, scores two pictures, measures its speed."""
