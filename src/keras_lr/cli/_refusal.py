"""What the user can mend, said before any work is done."""


class Refusal(Exception):
    """The command cannot begin; the message says why and what to do."""
