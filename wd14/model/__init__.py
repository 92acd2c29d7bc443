"""The tagger: its files, its pictures, its scores."""
