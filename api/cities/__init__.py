"""The figures of a city by day."""
