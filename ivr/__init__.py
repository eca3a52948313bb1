"""What callers hear and key, without I/O: so far, how numbers are read aloud and which built-in prompts there are."""
