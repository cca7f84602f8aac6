"""The header with which a request speaks in the terms that Parvis itself writes in."""

from parvis.broker.jsonld.contexts import PARVIS_URL

PARVIS_TERMS = {"Link": f'<{PARVIS_URL}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'}
