"""Measures candidates, each in a process of its own: its memory is free for the next, and its end is not the job's."""
