"""A preset turns into one result row per model and seed."""
