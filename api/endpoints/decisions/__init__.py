"""Appeals and reviews: routes, shapes, pages."""
