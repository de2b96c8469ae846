"""The shapes of answers and bodies, as the OpenAPI shows them."""
