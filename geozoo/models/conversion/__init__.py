"""Functions on finished networks: published weights, kernels read from tables."""
