"""What is wrong with a captioned dataset: each rule is one small function in the table of `rules.py`."""
