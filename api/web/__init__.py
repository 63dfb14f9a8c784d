"""Pages for people: riders, ops, approvers; rendered here, from the same verbs that the HTTP API calls."""
