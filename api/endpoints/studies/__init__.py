"""Studies: routes and pages."""
