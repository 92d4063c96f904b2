"""What a JSON Schema cannot say, for the requests that schemathesis makes up."""

import json
import os
import subprocess
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta, timezone
from functools import cache
from uuid import uuid4

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis.openapi.checks import AllowHeaderMismatch, EnsureResourceAvailability, UnsupportedMethodResponse

URL = os.environ["APP_URL"]
ADMIN = {"x-admin-token": os.environ["SETUP_TOKEN"]}
# Of the key by which the protected routes are asked.
OWN_ID = os.environ["API_KEY_ID"]
OWN_KEY = os.environ["API_KEY"]
# Of the app's own session, if there is one: it opens one route in place of a key, and on the others it would be a second key.
USER = os.environ.get("USER_TOKEN")
# Of that key, and of those that requests get: it must stay as it is.
OWN_CLIENT = "acme"
# The client who is signed in.
OWN_ACCOUNT = "globex"
# That were made and not deleted.
KEYS: set[str] = set()
CLIENTS: set[str] = set()

# A key that is made must not have expired, and a year is one from 1 to 9999.
FUTURE = st.datetimes(min_value=datetime(2100, 1, 1))


def cursor(at: datetime, row: str) -> str:
    """Opaque to clients, who only ever send one back."""
    return encoded(f"{int(at.timestamp() * 1000)}:{row}")


def encoded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


schemathesis.openapi.format("date-time", FUTURE.map(lambda at: f"{at.isoformat(timespec='seconds')}Z"))
schemathesis.openapi.format("date", FUTURE.map(lambda at: at.date().isoformat()))
schemathesis.openapi.format("local-date-time", FUTURE.map(lambda at: at.isoformat(timespec="minutes")))
# A key of a client's own lives for at most 90 days.
SOON = st.integers(min_value=1, max_value=89).map(lambda days: datetime.now(timezone.utc) + timedelta(days=days))
schemathesis.openapi.format("soon", SOON.map(lambda at: f"{at.isoformat(timespec='seconds').removesuffix('+00:00')}Z"))
schemathesis.openapi.format("time-zone", st.sampled_from(["UTC", "Europe/Oslo", "America/New_York", "Asia/Kolkata"]))
schemathesis.openapi.format("cursor", st.builds(cursor, FUTURE, st.uuids().map(str)))

# Nothing is sent there: the app of this test does not deliver.
schemathesis.openapi.format("webhook-url", st.uuids().map(lambda name: f"https://example.com/{name}"))
schemathesis.openapi.format("delivery-id", st.integers(min_value=1, max_value=2**62).map(str))


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.operation.path == "/api/keys/presented":
        present_another_key(case)
    if USER and case.operation.path == "/api/whoami":
        case.headers["Authorization"] = f"Bearer {USER}"
    if case.operation.path == "/api/leaks":
        kwargs["auth"] = sign
        leak_another_key(case)
    if is_about_account(case):
        # As a page of the app does.
        case.headers["Origin"] = URL
        give_own_key(case)
    meta = case.meta
    if meta is None:
        return
    positive = meta.generation.mode.is_positive
    made_up = positive and meta.phase.name in ("coverage", "fuzzing")
    fields = fields_of(case)
    if not isinstance(fields, dict):
        return
    if positive:
        name_apart(fields, "limits")
        name_apart(fields, "quotas")
    if is_about_account(case):
        if positive and case.operation.path.endswith("/usage"):
            give_range(fields, made_up and meta.phase.name == "fuzzing")
    elif is_about_webhooks(case):
        if positive:
            give_webhook(case, fields, made_up and meta.phase.name == "coverage")
    elif is_about_admin_tokens(case):
        give_admin_token(case, fields, made_up and meta.phase.name == "coverage")
    elif is_about_quotas(case):
        if positive:
            give_quota(case, fields, made_up)
            postpone_expiry(fields)
    elif is_about_clients(case):
        if case.method == "PUT" and fields.get("clientId") == OWN_CLIENT:
            fields["clientId"] = new_client()
        if positive:
            give_client(case, fields, made_up)
    elif is_about_roles(case):
        if positive:
            give_role(case, fields, made_up and meta.phase.name == "coverage")
    elif case.operation.path == "/api/usage":
        if positive:
            give_range(fields, made_up and meta.phase.name == "fuzzing")
    elif case.method == "GET":
        if positive and case.operation.path == "/api/keys" and isinstance(fields.get("cursor"), str):
            fields["cursor"] = cursor_of_keys(fields.get("sort", "createdAt"), fields.get("order", "desc"))
    elif "where" in fields:
        # The protected routes need their key.
        fields["dryRun"] = True
        if positive:
            # Conditions that are null are none.
            fields["where"]["clientId"] = OWN_CLIENT
    else:
        give_key(fields, made_up and not is_without_key(case))
        if positive and fields.get("roles"):
            fields["roles"] = [new_role()]
        if positive:
            bound_milliseconds(fields)
        if case.method == "POST" and positive:
            postpone_expiry(fields)


def cursor_of_keys(sort: str, order: str) -> str:
    """A cursor goes with an order."""
    value = str(uuid4()) if sort == "name" else "4102444800000000"
    return encoded(json.dumps([sort, order == "desc", value, str(uuid4())]))


def present_another_key(case) -> None:
    """What is presented there is revoked, and the protected routes need theirs."""
    for name, value in list(case.headers.items()):
        if OWN_KEY in value:
            case.headers[name] = value.replace(OWN_KEY, new_key()["key"])


# Reads what is to be signed from standard input.
SIGNER = """
const { sign } = require('node:crypto')
const body = require('node:fs').readFileSync(0)
process.stdout.write(sign('sha256', body, process.env.GITHUB_PRIVATE_KEY).toString('base64'))
"""


def sign(request):
    """Signs the bytes of a request that is not about the signature itself, as GitHub does."""
    if request.headers.get("Github-Public-Key-Identifier") == os.environ["GITHUB_KEY_ID"]:
        body = request.body or b""
        body = body if isinstance(body, bytes) else body.encode()
        made = subprocess.run([os.environ["NODE"], "-e", SIGNER], input=body, capture_output=True, check=True)
        request.headers["Github-Public-Key-Signature"] = made.stdout.decode()
    return request


def leak_another_key(case) -> None:
    """What is reported there is revoked: each report that is one has a key of its own."""
    if case.meta is not None and case.meta.generation.mode.is_positive and case.body:
        case.body[0]["token"] = new_key()["key"]


def name_apart(fields: dict, which: str) -> None:
    """No two entries of a list may have the same name."""
    names: set[str] = set()
    for entry in fields.get(which) or []:
        if entry["name"] in names:
            entry["name"] = f"name-{uuid4()}"
        names.add(entry["name"])


def fields_of(case):
    return case.query if case.method in ("GET", "DELETE") else case.body


def is_about_account(case) -> bool:
    return case.operation.path.startswith("/api/account/")


def give_own_key(case) -> None:
    """There must be room for a new key, and what is changed must be there: of an id that is made up there is no key."""
    if case.operation.path == "/api/account/keys" and case.method == "POST":
        where = {"clientId": OWN_ACCOUNT}
        requests.post(f"{URL}/api/keys/revocation", json={"where": where}, headers=ADMIN, timeout=60).raise_for_status()
    is_fuzzing = case.meta is not None and case.meta.phase.name == "fuzzing"
    if "{id}" in case.operation.path:
        case.path_parameters["id"] = str(uuid4()) if is_fuzzing else new_key(OWN_ACCOUNT)["id"]


def is_about_clients(case) -> bool:
    return case.operation.path == "/api/clients"


def is_about_roles(case) -> bool:
    return case.operation.path == "/api/roles"


def give_role(case, fields: dict, made_up: bool) -> None:
    """There must be room for a new one, and what is deleted must be there."""
    listed = requests.get(f"{URL}/api/roles", headers=ADMIN, timeout=60).json()
    for role in listed[:-400]:
        requests.delete(f"{URL}/api/roles", params={"name": role["name"]}, headers=ADMIN, timeout=60)
    if case.method == "DELETE" and made_up:
        fields["name"] = new_role()


def new_role() -> str:
    name = f"role {uuid4()}"
    answer = requests.put(f"{URL}/api/roles", json={"name": name, "scopes": []}, headers=ADMIN, timeout=60)
    answer.raise_for_status()
    return name


def is_about_webhooks(case) -> bool:
    return case.operation.path.startswith("/api/webhooks")


def give_webhook(case, fields: dict, made_up: bool) -> None:
    """There must be room for a new one, and what is changed, deleted or delivered once more must be there."""
    make_room()
    if case.operation.path == "/api/webhooks/deliveries":
        if case.method == "POST" and made_up:
            fields["id"] = new_delivery()
    elif "id" in fields and made_up:
        fields["id"] = new_webhook()


def make_room() -> None:
    listed = requests.get(f"{URL}/api/webhooks", headers=ADMIN, timeout=60).json()
    for webhook in listed[:-40]:
        requests.delete(f"{URL}/api/webhooks", params={"id": webhook["id"]}, headers=ADMIN, timeout=60)


def new_webhook() -> str:
    answer = requests.post(f"{URL}/api/webhooks", json={"url": "https://example.com/hooks"}, headers=ADMIN, timeout=60)
    answer.raise_for_status()
    return answer.json()["id"]


def new_delivery() -> str:
    webhook = new_webhook()
    new_key()
    listed = requests.get(f"{URL}/api/webhooks/deliveries", params={"webhookId": webhook}, headers=ADMIN, timeout=60)
    return listed.json()[0]["id"]


def is_about_admin_tokens(case) -> bool:
    return case.operation.path == "/api/admin-tokens"


def give_admin_token(case, fields: dict, made_up: bool) -> None:
    """What is rotated or revoked must be there, and must not be a token by which requests are made."""
    if "id" in fields and (made_up or fields["id"] in own_tokens()):
        fields["id"] = new_admin_token()


@cache
def own_tokens() -> list[str]:
    """Of before the first request to change one."""
    listed = requests.get(f"{URL}/api/admin-tokens", headers=ADMIN, timeout=60).json()
    return [token["id"] for token in listed]


def new_admin_token() -> str:
    answer = requests.post(f"{URL}/api/admin-tokens", json={"name": "Target"}, headers=ADMIN, timeout=60)
    answer.raise_for_status()
    return answer.json()["id"]


def is_about_quotas(case) -> bool:
    return case.operation.path == "/api/quotas"


def is_without_key(case) -> bool:
    """A key is still there after it was restored, so only an id that is made up leads to 404."""
    return case.operation.path == "/api/keys/revocation" and case.meta.phase.name == "fuzzing"


def give_quota(case, fields: dict, made_up: bool) -> None:
    """A quota is that of a key or of a client. Where one must be there, each request gets a client of its own with a quota."""
    if made_up and case.meta.phase.name == "coverage":
        fields.pop("keyId", None)
        fields["clientId"] = new_client(quotas=[{"name": fields["name"], "amount": 1000, "period": "month"}])
    elif case.method == "GET" and ("keyId" in fields) == ("clientId" in fields):
        fields.pop("keyId", None)
        fields["clientId"] = new_client()


def give_range(fields: dict, is_recent: bool) -> None:
    """A range has an end after its beginning and few buckets, and usage of a key is not that of a client."""
    if "clientId" in fields:
        fields.pop("keyId", None)
    if is_recent:
        fields["to"] = f"{datetime.now(timezone.utc).isoformat(timespec='seconds').removesuffix('+00:00')}Z"
    if isinstance(fields.get("to"), str):
        to = datetime.fromisoformat(fields["to"].removesuffix("Z"))
        fields["from"] = f"{(to - timedelta(days=1)).isoformat(timespec='seconds')}Z"


def give_client(case, fields: dict, made_up: bool) -> None:
    """A parent, and what is deleted, must have settings; and one client is not read in pages."""
    if isinstance(fields.get("parentId"), str):
        fields["parentId"] = new_client()
    if case.method == "DELETE" and made_up:
        fields["clientId"] = new_client()
    if case.method == "GET" and "clientId" in fields:
        for other in [name for name in fields if name != "clientId"]:
            del fields[other]
        if made_up and case.meta.phase.name == "coverage":
            fields["clientId"] = new_client()


def new_client(**fields) -> str:
    client = f"client {uuid4()}"
    answer = requests.put(f"{URL}/api/clients", json={"clientId": client, **fields}, headers=ADMIN, timeout=60)
    answer.raise_for_status()
    return client


def give_key(fields: dict, made_up: bool) -> None:
    """Of an id that is made up there is no key, so 404 would be all there is to see: each request gets a key of its own."""
    if "id" in fields and (made_up or fields["id"] == OWN_ID):
        fields["id"] = new_key()["id"]


def new_key(client: str = OWN_CLIENT) -> dict:
    answer = requests.post(f"{URL}/api/keys", json={"name": "Target", "clientId": client}, headers=ADMIN, timeout=60)
    answer.raise_for_status()
    return answer.json()


def postpone_expiry(fields: dict) -> None:
    """An instant that was seen in an answer is in the past by now."""
    if isinstance(fields.get("expiresAt"), str) and fields["expiresAt"] < "2099":
        fields["expiresAt"] = "2100-01-01"


def bound_milliseconds(fields: dict) -> None:
    """A year is one from 1 to 9999, and 0 could be none as well."""
    sent = fields.get("expiresAt")
    if isinstance(sent, (int, float)) and not isinstance(sent, bool):
        fields["expiresAt"] = int(datetime(2100, 1, 1, tzinfo=timezone.utc).timestamp() * 1000)


@schemathesis.hook
def after_call(context, case, response):
    if is_about_account(case) or is_about_webhooks(case) or is_about_admin_tokens(case) or is_about_roles(case):
        return
    if case.method == "POST" and response.status_code == 201:
        KEYS.add(response.json()["id"])
    if case.method == "PUT" and is_about_clients(case) and response.status_code == 200:
        CLIENTS.add(response.json()["clientId"])
    if case.method == "DELETE" and response.status_code == 200:
        known, name = (CLIENTS, "clientId") if is_about_clients(case) else (KEYS, "id")
        ids = case.query[name]
        known.difference_update(ids if isinstance(ids, list) else [ids])


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Drops what is no failure."""
    if isinstance(failure, UnsupportedMethodResponse):
        # A 405 is Next's own, and has no `Allow`. That it is a 405 still counts.
        return failure.failure_reason != "missing_allow_header"
    if isinstance(failure, AllowHeaderMismatch):
        # Next.js names the methods of the route that catches all paths of own keys.
        return not is_about_account(case)
    if isinstance(failure, EnsureResourceAvailability):
        # An own key is still there once it is revoked.
        if is_about_account(case):
            return False
        # A client that is there need not have the quota, and webhooks make room for others. No admin token is ever gone. A role is
        # only there if it was set before.
        if is_about_quotas(case) or is_about_webhooks(case) or is_about_admin_tokens(case) or is_about_roles(case):
            return False
        # It looks for ids in paths, and ours are in bodies and queries: a 404 is wrong where the key or client is there.
        known, name = (CLIENTS, "clientId") if is_about_clients(case) else (KEYS, "id")
        return fields_of(case)[name] in known
    return True
