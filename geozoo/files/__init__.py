"""Reading and writing files: downloads, checksums, arrays and tables in external formats."""
