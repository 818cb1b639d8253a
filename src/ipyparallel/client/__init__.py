"""The client: a connection to a controller, views on its engines, and results."""
