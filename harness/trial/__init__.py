"""One load on the arms of a block, and the rows that come of it."""
