"""A dataset of any size in shards: planned once, done by any number of processes and machines, merged at the end."""
