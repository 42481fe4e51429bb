"""The GPU kit: files to copy to a bare GPU machine, and the jobs that run there."""
