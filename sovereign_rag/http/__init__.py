"""What the API and the page share of HTTP."""
