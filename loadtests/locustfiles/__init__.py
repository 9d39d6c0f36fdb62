"""Loads as locustfiles, for plain `locust -f`."""
