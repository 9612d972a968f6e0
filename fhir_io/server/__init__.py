"""Live servers: records of a FHIR server, by search or bulk export, into a raw folder for the import.

:func:`fetch` is the way in; :class:`BackendServices` with :func:`read_keys` gives it access. A raw folder
holds identifiable records and is readable by its owner alone.
"""

from fhir_io.server.errors import ServerError
from fhir_io.server.fetching import NEEDED, Fetched, fetch
from fhir_io.server.keyfile import SigningKey, read_keys
from fhir_io.server.limits import Limits
from fhir_io.server.smart import BackendServices

__all__ = [
    "NEEDED",
    "BackendServices",
    "Fetched",
    "Limits",
    "ServerError",
    "SigningKey",
    "fetch",
    "read_keys",
]
