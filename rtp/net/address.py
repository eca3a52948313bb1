"""Where packets come from and go to."""

Address = tuple[str, int]
"""IP address and UDP port."""
