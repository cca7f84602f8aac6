"""A sign-in whose password was right and whose second factor is still to come."""

from parvis.kernel.errors import PARVIS_ERRORS, Unauthenticated
from parvis.kernel.time import MINUTE

HALFWAY = "sign-in"
HALFWAY_HOLDS = 10 * MINUTE


class SecondFactorNeeded(Unauthenticated):
    """`token` goes on with the sign-in, and is nothing to be told to anybody else."""

    type_uri = PARVIS_ERRORS + "second-factor-needed"
    title = "A second factor is needed"

    def __init__(self, token: str, *, must_set_up: bool) -> None:
        super().__init__("The password was right: now the second factor.")
        self.token = token
        self.must_set_up = must_set_up


class SignInTooOld(Unauthenticated):
    type_uri = PARVIS_ERRORS + "sign-in-too-old"
    title = "This sign-in is too old"
