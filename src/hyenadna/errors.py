"""The two ways in which a command ends early by design."""


class InputError(Exception):
    """Something that the user can fix: what was given, where, what is allowed, what to do."""


class Interrupted(Exception):
    """A signal asked the program to stop; whatever can be resumed has been saved."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by signal {signal_number}; the same command resumes")
        self.signal_number = signal_number
