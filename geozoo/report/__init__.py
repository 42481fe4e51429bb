"""Reports of runs: plots, the HTML page, and tables on the screen."""
