"""Cities: routes, shapes, pages."""
