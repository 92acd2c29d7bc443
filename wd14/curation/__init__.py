"""Decides which tags a caption keeps: pure functions over tags and scores."""
