"""Pictures: opened safely, as 8-bit RGB on white; the one table of formats."""
