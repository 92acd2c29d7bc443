"""A tagger's files: known models, finding and downloading them, their labels and their graph."""
