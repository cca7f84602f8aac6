"""As the official suite declares its variables; a run gives others."""

url = "http://localhost/ngsi-ld/v1"
b1_url = url
b2_url = url
town_context = "https://context.town.example/v1/town.jsonld"
mqtt_broker_host = "localhost"
mqtt_broker_non_default_port = 8085
