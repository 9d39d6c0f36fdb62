"""The charts of a report: each says its conclusion in its title, draws its intervals, and has its table."""
