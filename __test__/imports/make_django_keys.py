"""Makes keys with djangorestframework-api-key in the database of DATABASE_URL. Prints them, and which of them it accepts, as JSON."""

import json
import os
from datetime import timedelta

import django
from django.conf import settings
from django.core.management import call_command
from psycopg.conninfo import conninfo_to_dict

place = conninfo_to_dict(os.environ["DATABASE_URL"])
names = {"host": "HOST", "port": "PORT", "dbname": "NAME", "user": "USER", "password": "PASSWORD"}
database = {name: str(place[key]) for key, name in names.items() if key in place}
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", **database}},
    INSTALLED_APPS=["rest_framework", "rest_framework_api_key"],
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402
from django.utils import timezone  # noqa: E402
from rest_framework_api_key.models import APIKey  # noqa: E402

call_command("migrate", verbosity=0)
day = timedelta(days=1)
made = {
    "plain": APIKey.objects.create_key(name="plain"),
    "older": APIKey.objects.create_key(name="older"),
    "expiring": APIKey.objects.create_key(name="expiring", expiry_date=timezone.now() + day),
    "expired": APIKey.objects.create_key(name="expired", expiry_date=timezone.now() - day),
    "revoked": APIKey.objects.create_key(name="revoked", revoked=True),
}
accepted = {name: APIKey.objects.is_valid(key) for name, (_, key) in made.items()}
# Version 2 hashed keys as passwords. The library still accepts these hashes, and replaces each that it sees.
older, key = made["older"]
older.hashed_key = make_password(key)
older.save()
accepted["older"] = APIKey.objects.key_generator.verify(key, older.hashed_key)
print(json.dumps({"keys": {name: key for name, (_, key) in made.items()}, "accepted": accepted}))
