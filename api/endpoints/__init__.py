"""Routes and pages, one folder a subject."""
