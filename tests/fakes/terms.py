"""The header with which a request speaks in the terms that Parvis itself writes in."""

from parvis.broker.jsonld.context import link_to
from parvis.broker.jsonld.contexts import PARVIS_URL

PARVIS_TERMS = {"Link": link_to(PARVIS_URL)}
