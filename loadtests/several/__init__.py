"""Several generators, one schedule: a master that tells Locust workers what to drive, and merges what they saw."""
