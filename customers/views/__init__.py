"""Pages of the facts and of imports."""
