"""What a trainer needs beside a dataset, as text: pure functions, one file for each trainer."""
