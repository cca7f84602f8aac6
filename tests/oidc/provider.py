"""A real OpenID Connect provider for the tests: Django OAuth Toolkit, in a process of its own.

    python -m tests.oidc.provider PORT KEY_FILE CLIENT_ORIGIN

People sign in at Django's own form. The key of the file signs; a second file, KEY_FILE.old, is only published.
"""

import os
import sys
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

CLIENT_ID, CLIENT_SECRET = "parvis", "a secret between the two of them"
PASSWORD = "password of the provider"
PEOPLE = {
    "odile": {"email": "odile@mairie.example", "groups": ["agents-mairie"], "given_name": "Odile"},
    "mallory": {"email": "mallory@elsewhere.example", "groups": [], "given_name": "Mallory"},
}
GROUPS_FILE = "PROVIDER_GROUPS"


def main() -> None:
    port, key_file, origin = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    _configure(port, key_file)
    _fill(origin)
    from django.core.wsgi import get_wsgi_application

    with make_server("127.0.0.1", port, get_wsgi_application(), handler_class=_Quiet) as server:
        print("listening", flush=True)
        server.serve_forever()


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_said: object) -> None:
        """Says nothing."""


def _configure(port: int, key_file: Path) -> None:
    import django
    from django.conf import settings

    old = key_file.with_suffix(".old")
    settings.configure(
        SECRET_KEY="of the tests",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="tests.oidc.urls",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(key_file.with_suffix(".db"))}},
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "oauth2_provider",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        LOGIN_URL="/admin/login/",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_ISS_ENDPOINT": f"http://127.0.0.1:{port}/o",
            "OIDC_RSA_PRIVATE_KEY": key_file.read_text(),
            "OIDC_RSA_PRIVATE_KEYS_INACTIVE": [old.read_text()] if old.exists() else [],
            "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
            "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": False,
            "OAUTH2_VALIDATOR_CLASS": "tests.oidc.claims.Claims",
            "PKCE_REQUIRED": True,
            "SCOPES": {"openid": "who it is", "profile": "profile", "email": "address"},
        },
    )
    django.setup()


def _fill(origin: str) -> None:
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from oauth2_provider.models import get_application_model

    call_command("migrate", verbosity=0)
    users, applications = get_user_model(), get_application_model()
    for name, told in PEOPLE.items():
        if not users.objects.filter(username=name).exists():
            users.objects.create_superuser(name, told["email"], PASSWORD, first_name=told["given_name"])
    applications.objects.update_or_create(
        client_id=CLIENT_ID,
        defaults={
            "client_secret": CLIENT_SECRET,
            "hash_client_secret": True,
            "client_type": applications.CLIENT_CONFIDENTIAL,
            "authorization_grant_type": applications.GRANT_AUTHORIZATION_CODE,
            "algorithm": applications.RS256_ALGORITHM,
            "redirect_uris": "\n".join(f"{origin}/console/sign-in/with/{key}/return" for key in ("staff", "residents")),
            "post_logout_redirect_uris": f"{origin}/",
            "skip_authorization": True,
        },
    )


def groups_of(name: str) -> Any:
    """What the file of the environment says instead, so that a test may take somebody out of a group."""
    path = os.environ.get(GROUPS_FILE, "")
    if path and Path(path).exists():
        return Path(path).read_text().split()
    return PEOPLE[name]["groups"]


if __name__ == "__main__":
    main()
