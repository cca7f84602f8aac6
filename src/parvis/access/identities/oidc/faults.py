"""Apart from the rest, which reads the libraries of signatures: who only handles it does not."""

from parvis.kernel.errors import PARVIS_ERRORS, ParvisError


class ProviderFailed(ParvisError):
    """The provider could not be asked, or said something else than the standard has."""

    type_uri = PARVIS_ERRORS + "identity-provider-failed"
    title = "The identity provider gave no usable answer"
    status = 502
