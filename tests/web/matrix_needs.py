"""What each route takes: whoever adds a route adds it here, and test_matrix.py tries it with every role.

`anyone` takes nothing, `public` a right to read, be it what is public alone, `person` a session; the others take the
right of that name.
"""

from typing import Final

NEEDS: Final = {
    "anyone": """
        GET /console/zones
        GET /console/search
        GET /console/search/typed-ahead
        GET /
        GET /privacy
        POST /api/federation/notified/{token}
        GET /api/labels
        GET /api/openapi.json
        GET /away
        GET /basemap/ground.pmtiles
        GET /basemap/style/{theme}.json
        GET /basemap/{z:int}/{x:int}/{y:int}.mvt
        GET /console/in
        GET /console/sign-in
        POST /console/sign-in
        GET /console/sign-in/with/{key}
        GET /console/sign-in/with/{key}/return
        GET /console/sign-in/code
        GET /console/sign-in/with/{key}
        GET /console/sign-in/with/{key}/return
        POST /console/sign-in/code
        POST /console/sign-in/passkey
        POST /console/sign-in/passkey/begin
        POST /console/sign-in/set-up
        POST /console/sign-out
        GET /elsewhere
        GET /live/store
        GET /ngsi-ld/v1/info/sourceIdentity
        GET /ngsi-ld/v1/jsonldContexts
        GET /ngsi-ld/v1/jsonldContexts/{}
        GET /portal/recycling.geojson
        GET /portal/{digest}/markers.svg
        GET /too-many
        GET /welcome
        POST /welcome
    """,
    "public": """
        GET /api/summary
        GET /api/types
        GET /boards/{link}
        GET /console
        GET /console/
        GET /console/dashboards/map.geojson
        GET /console/entities/{id:path}
        GET /console/entities/{id:path}/history.csv
        GET /console/entities/{id:path}/history.parquet
        GET /console/entities/{id:path}/series.json
        GET /console/map
        GET /console/map.geojson
        GET /live/events
        GET /ngsi-ld/v1/attributes
        GET /ngsi-ld/v1/attributes/{}
        GET /ngsi-ld/v1/entities
        GET /ngsi-ld/v1/entities/{}
        GET /ngsi-ld/v1/entityMaps
        POST /ngsi-ld/v1/entityMaps
        DELETE /ngsi-ld/v1/entityMaps/{}
        GET /ngsi-ld/v1/entityMaps/{}
        PATCH /ngsi-ld/v1/entityMaps/{}
        POST /ngsi-ld/v1/entityOperations/query
        GET /ngsi-ld/v1/temporal/entities
        GET /ngsi-ld/v1/temporal/entities/{}
        GET /ngsi-ld/v1/temporal/entityMaps
        POST /ngsi-ld/v1/temporal/entityMaps
        POST /ngsi-ld/v1/temporal/entityOperations/query
        GET /ngsi-ld/v1/types
        GET /ngsi-ld/v1/types/{}
    """,
    "read": """
        GET /console/roles
        POST /console/roles
        GET /api/devices
        GET /api/devices.csv
        GET /api/devices/facets
        GET /api/devices/{hardware_id}
        GET /api/devices/{hardware_id}/commands
        GET /api/devices/{hardware_id}/frames
        GET /api/gateways
        GET /api/quarantine
        GET /api/refusals
        GET /console/codecs
        GET /console/codecs/{profile_id}
        POST /console/codecs/{profile_id}
        GET /console/connectors
        GET /console/coverage
        GET /console/dashboards
        GET /console/dashboards/{short}
        GET /console/devices
        GET /console/devices.csv
        GET /console/devices/{hardware_id}
        GET /console/jobs
        GET /console/jobs/{job_id}
        GET /console/members
        GET /console/members/usage
        GET /console/members/usage.csv
        GET /console/members/{tenant}
        GET /console/quarantine
        GET /console/refusals
        GET /console/subscriptions
        GET /console/subscriptions/{subscription_id:path}
        GET /console/system
        GET /ngsi-ld/v1/csourceRegistrations
        GET /ngsi-ld/v1/csourceRegistrations/{}
        GET /ngsi-ld/v1/csourceSubscriptions
        GET /ngsi-ld/v1/csourceSubscriptions/{}
        GET /ngsi-ld/v1/snapshots/{}
        GET /ngsi-ld/v1/subscriptions
        GET /ngsi-ld/v1/subscriptions/{}
    """,
    "write": """
        POST /api/devices
        POST /api/devices/claim
        GET /api/devices/claims
        POST /api/devices/claims
        POST /api/devices/claims/sheet
        DELETE /api/devices/claims/{batch}
        POST /api/devices/import
        POST /api/devices/import/check
        DELETE /api/devices/{hardware_id}
        PATCH /api/devices/{hardware_id}
        POST /api/devices/{hardware_id}/replace
        DELETE /api/quarantine/{hardware_id}
        POST /api/refusals/retry
        POST /console/dashboards
        GET /console/dashboards/new
        GET /console/dashboards/objects.json
        POST /console/dashboards/preview
        POST /console/dashboards/{short}/delete
        GET /console/dashboards/{short}/edit
        POST /console/dashboards/{short}/restore
        POST /console/dashboards/{short}/save
        POST /console/dashboards/{short}/share
        POST /console/devices/change
        GET /console/devices/import
        POST /console/devices/import
        GET /console/devices/import/job/{job_id:int}
        GET /console/devices/import/template.csv
        GET /console/devices/import/{list_key}
        POST /console/devices/import/{list_key}
        GET /console/devices/new
        POST /console/devices/new
        POST /console/devices/restore
        POST /console/devices/{hardware_id}
        GET /console/imports
        POST /console/imports
        POST /console/imports/upload
        GET /console/imports/{import_id}
        POST /console/imports/{import_id}
        GET /console/imports/{import_id}/mapping.json
        GET /console/imports/{import_id}/report.csv
        POST /console/jobs/start
        POST /console/jobs/{job_id}/cancel
        POST /console/jobs/{job_id}/retry
        POST /console/quarantine
        GET /console/quarantine/adopt
        POST /console/quarantine/adopt
        POST /console/refusals/retry
        POST /console/subscriptions/{subscription_id:path}/delete
        POST /console/subscriptions/{subscription_id:path}/forget
        POST /console/subscriptions/{subscription_id:path}/pause
        POST /console/subscriptions/{subscription_id:path}/replay
        POST /console/subscriptions/{subscription_id:path}/resume
        POST /console/zones
        POST /console/zones/forget
        POST /ngsi-ld/v1/csourceRegistrations
        DELETE /ngsi-ld/v1/csourceRegistrations/{}
        PATCH /ngsi-ld/v1/csourceRegistrations/{}
        POST /ngsi-ld/v1/csourceSubscriptions
        DELETE /ngsi-ld/v1/csourceSubscriptions/{}
        PATCH /ngsi-ld/v1/csourceSubscriptions/{}
        DELETE /ngsi-ld/v1/entities
        POST /ngsi-ld/v1/entities
        DELETE /ngsi-ld/v1/entities/{}
        PATCH /ngsi-ld/v1/entities/{}
        PUT /ngsi-ld/v1/entities/{}
        PATCH /ngsi-ld/v1/entities/{}/attrs
        POST /ngsi-ld/v1/entities/{}/attrs
        DELETE /ngsi-ld/v1/entities/{}/attrs/{}
        PATCH /ngsi-ld/v1/entities/{}/attrs/{}
        PUT /ngsi-ld/v1/entities/{}/attrs/{}
        POST /ngsi-ld/v1/entityOperations/create
        POST /ngsi-ld/v1/entityOperations/delete
        POST /ngsi-ld/v1/entityOperations/merge
        POST /ngsi-ld/v1/entityOperations/update
        POST /ngsi-ld/v1/entityOperations/upsert
        POST /ngsi-ld/v1/jsonldContexts
        DELETE /ngsi-ld/v1/jsonldContexts/{}
        DELETE /ngsi-ld/v1/snapshots
        POST /ngsi-ld/v1/snapshots
        DELETE /ngsi-ld/v1/snapshots/{}
        PATCH /ngsi-ld/v1/snapshots/{}
        POST /ngsi-ld/v1/snapshots/{}/clone
        POST /ngsi-ld/v1/subscriptions
        DELETE /ngsi-ld/v1/subscriptions/{}
        PATCH /ngsi-ld/v1/subscriptions/{}
        POST /ngsi-ld/v1/temporal/entities
        DELETE /ngsi-ld/v1/temporal/entities/{}
        POST /ngsi-ld/v1/temporal/entities/{}/attrs
        DELETE /ngsi-ld/v1/temporal/entities/{}/attrs/{}
        DELETE /ngsi-ld/v1/temporal/entities/{}/attrs/{}/{}
        PATCH /ngsi-ld/v1/temporal/entities/{}/attrs/{}/{}
    """,
    "command": """
        POST /api/devices/{hardware_id}/commands
    """,
    "deliver": """
        POST /api/connectors/{connector}
        POST /api/connectors/{connector}/{path:path}
    """,
    "audit": """
        GET /console/audit
        POST /console/audit.csv
        POST /console/audit.ndjson
        POST /console/audit/proof
        GET /console/incidents
        GET /console/incidents/{incident_id}
        POST /console/incidents/{incident_id}/export
    """,
    "steward": """
        GET /console/exports
        POST /console/exports
        POST /console/exports/{name}
        POST /console/exports/{name}/delete
        GET /console/privacy
        POST /console/privacy
        GET /console/privacy/register
        POST /console/privacy/register.csv
        POST /console/privacy/register.md
        GET /console/privacy/people
        POST /console/privacy/people
        GET /console/privacy/people/{case_id}
        POST /console/privacy/people/{case_id}/copy
        POST /console/privacy/people/{case_id}/erase
        POST /console/privacy/people/{case_id}/forget
    """,
    "administer": """
        GET /console/backups
        POST /console/backups
        GET /api/devices/{hardware_id}/keys
        POST /api/devices/{hardware_id}/keys
        DELETE /api/devices/{hardware_id}/keys/{key_id}
        GET /console/first-run
        GET /console/first-run/ground
        POST /console/first-run/ground
        GET /console/first-run/people
        POST /console/first-run/people
        POST /console/first-run/skip
        GET /console/first-run/territory
        POST /console/first-run/territory
        GET /console/first-run/way-in
        POST /console/first-run/way-in
        GET /console/members/new
        POST /console/members/new
        POST /console/members/{tenant}
        GET /console/membership
        POST /console/membership
        POST /console/incidents
        POST /console/incidents/{incident_id}
        GET /console/keys
        POST /console/keys
        GET /console/invite
        POST /console/invite
        GET /console/people
        GET /console/people/{name}
        POST /console/people/{name}
    """,
    "person": """
        GET /console/account
        GET /console/account/authenticator
        POST /console/account/authenticator
        POST /console/account/passkeys
        POST /console/account/passkeys/begin
        POST /console/account/passkeys/remove
        GET /console/account/password
        POST /console/account/password
        POST /console/account/recovery-codes
        POST /console/account/sessions/end
    """,
}
LOOKED_FOR_FIRST: Final = frozenset(
    {
        "GET /console/membership",
        "POST /console/membership",
        "POST /console/jobs/start",
        "POST /console/jobs/{job_id}/retry",
        "POST /console/jobs/{job_id}/cancel",
        "POST /console/dashboards/{short}/restore",
        "POST /console/dashboards/{short}/delete",
        "GET /boards/{link}",
        "GET /ngsi-ld/v1/snapshots/{}",
        "GET /ngsi-ld/v1/entityMaps/{}",
        "PATCH /ngsi-ld/v1/entityMaps/{}",
        "DELETE /ngsi-ld/v1/entityMaps/{}",
    }
)
"""Where what is not there is told to be not there, whoever asks."""

READ_FIRST: Final[frozenset[str]] = frozenset()
"""Where a request is read, and refused if it makes no sense, before rights are looked at; nothing is done or told."""

NOT_BY_KEY: Final = frozenset(
    {
        "POST /console/sign-in",
        "POST /console/sign-in/passkey",
        "GET /welcome",
        "GET /console/in",
        "POST /console/imports/upload",
    }
)
"""What refuses keys, or these requests, for another reason than a right."""
