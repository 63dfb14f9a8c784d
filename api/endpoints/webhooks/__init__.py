"""Webhooks: routes."""
