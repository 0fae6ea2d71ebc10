"""The one kind of error that ocrkit raises on purpose, and those that Ctrl-C leads to."""


class OcrkitError(ValueError):
    """Something a user can mend. The message is one line: what is wrong, and what to do."""


def by_ctrl_c(error: BaseException | None) -> bool:
    """Whether an error is Ctrl-C, or was raised by something that Ctrl-C interrupted.

    Python raises KeyboardInterrupt between any two steps, so a clean-up may find a lock that was
    never taken, and complain of that instead.
    """
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None
