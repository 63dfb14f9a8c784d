"""Rule books and drafts: routes, shapes, pages."""
