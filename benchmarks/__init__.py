"""One script a question; each prints a JSON line and a table. Results with machine and commit are in RESULTS.md."""
