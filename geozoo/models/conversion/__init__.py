"""Conversions of models: loading published weights, tabulating kernels."""
