"""Riders: routes, shapes, pages."""
