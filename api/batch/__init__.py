"""Columnar files in and out."""
