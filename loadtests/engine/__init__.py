"""The load engine: connections, schedules and recording inside one Locust user."""
