"""Webhooks: who wants to hear of changes, and the deliveries to them."""
