"""Clients that generators make of the OpenAPI document, at work on a running service."""
