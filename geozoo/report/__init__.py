"""Reports of runs: figures, the HTML page, and tables on the terminal."""
