"""The HTTP API and the page: thin over a Backend, one error shape, nothing served to strangers."""
