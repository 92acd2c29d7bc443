"""Pictures: the table of formats, opening safely as 8-bit RGB on white, flattening."""
