"""The one kind of error that ocrkit raises on purpose."""


class OcrkitError(ValueError):
    """Something a user can mend. The message is one line: what is wrong, and what to do."""
