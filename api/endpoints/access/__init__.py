"""Keys, sign-in, the audit trail: routes and pages."""
