"""Reading and writing files: downloads, checksums, arrays and tables that others have written."""
