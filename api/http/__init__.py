"""The HTTP API: routes, schemas, problem documents, auth. Calls the store's verbs; renders no pages."""
