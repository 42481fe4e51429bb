"""The GPU kit: what travels to a bare GPU machine, and the jobs that run there."""
