"""Health, metrics, the documents of the API."""
