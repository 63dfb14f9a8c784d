"""Rule books in the store: drafts, checking, approval, scheduling, what is in force where."""
