"""What a rider and those who answer for them see: card, entries, forecast, personal data."""
