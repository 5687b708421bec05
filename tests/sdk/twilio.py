"""Twilio's own client against the simulator: what it asks and reads, the simulator answers as Twilio does.

Usage: twilio.py BASE_URL ACCOUNT_SID AUTH_TOKEN API_KEY_SID API_KEY_SECRET; exits with 0 when all came out as told.
The client is pinned to Twilio's host, so its transport is given another one.
"""

import sys
from datetime import date, datetime, timedelta, timezone
from urllib.parse import urlsplit, urlunsplit

import requests
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

base, account, token, key, key_secret = sys.argv[1:6]
OURS, THEIRS = "+15005550006", "+14155550199"


class Redirected(TwilioHttpClient):
    """Sends every request to the simulator."""

    def request(self, method, url, *args, **kwargs):
        _, _, path, query, fragment = urlsplit(url)
        scheme, host = base.split("://")
        return super().request(method, urlunsplit((scheme, host, path, query, fragment)), *args, **kwargs)


def refused(code, status, ask):
    """Whether `ask` is refused with this code."""
    try:
        ask()
    except TwilioRestException as error:
        assert (error.code, error.status) == (code, status), (error.code, error.status, code, status)
    else:
        raise AssertionError(f"not refused with {code}")


def fault(name):
    requests.post(f"{base}/_control/faults", json=[{"fault": name}], timeout=5).raise_for_status()


client = Client(account, token, http_client=Redirected())
send = lambda body, **more: client.messages.create(**{"to": THEIRS, "from_": OURS, "body": body, **more})

# A text is taken: queued, dated, not sent yet; segments as they are charged.
fault("stays_queued")
waiting = send("See you at 10:00")
assert waiting.sid.startswith("SM") and len(waiting.sid) == 34
assert (waiting.status, waiting.date_sent, waiting.num_segments) == ("queued", None, "1")
assert (waiting.to, waiting.from_, waiting.body) == (THEIRS, OURS, "See you at 10:00")
assert abs(waiting.date_created - datetime.now(timezone.utc)) < timedelta(minutes=5)
assert send("ж" * 71).num_segments == "2"

# Fetched by its SID; unknown ones are not there.
assert client.messages(waiting.sid).fetch().body == waiting.body
refused(20404, 404, lambda: client.messages("SM" + "0" * 32).fetch())

# Numbers and words that can't be.
refused(21211, 400, lambda: send("hello", to="not a number"))
refused(21212, 400, lambda: send("hello", from_="+1"))
refused(21617, 400, lambda: send("x" * 1601))

# Listed newest first, page by page, each once, also when a text comes in between.
sent = [waiting.sid] + [send(f"number {n}").sid for n in range(7)]
pages = client.messages.page(page_size=3)
listed = [message.sid for message in pages]
send("in between")
while pages.next_page_url:
    pages = client.messages.get_page(pages.next_page_url)
    listed += [message.sid for message in pages]
assert len(listed) == len(set(listed)) == 9, listed
assert [sid for sid in listed if sid in sent] == sent[::-1]
assert {message.to for message in client.messages.list(to=THEIRS, limit=4)} == {THEIRS}
assert client.messages.list(to="+14155550198") == []

# Narrowed by when it was sent: what is still queued was not.
deadline = datetime.now(timezone.utc) + timedelta(seconds=20)
while client.messages(sent[-1]).fetch().status != "delivered":
    assert datetime.now(timezone.utc) < deadline, "never delivered"
done = client.messages(sent[-1]).fetch().date_sent
today, hour = done.date(), timedelta(hours=1)
sids = lambda **narrowed: {message.sid for message in client.messages.list(**narrowed)}
for narrowed in [
    {"date_sent": today},
    {"date_sent_after": today},
    {"date_sent_after": done - hour},
    {"date_sent_before": done + hour},
    {"date_sent_after": done - hour, "date_sent_before": done + hour},
    {"date_sent": done},
]:
    assert sent[-1] in sids(**narrowed) and waiting.sid not in sids(**narrowed), narrowed
for narrowed in [{"date_sent": date(2020, 1, 1)}, {"date_sent_before": done - hour}, {"date_sent_after": done + hour}]:
    assert sent[-1] not in sids(**narrowed), narrowed

# A scheduled text is cancelled; others can't be.
later = datetime.now(timezone.utc) + timedelta(hours=2)
scheduled = send("later", messaging_service_sid="MG" + "0" * 32, schedule_type="fixed", send_at=later)
assert scheduled.status == "scheduled"
assert client.messages(scheduled.sid).update(status="canceled").status == "canceled"
refused(30409, 400, lambda: client.messages(waiting.sid).update(status="canceled"))

# Words are taken out, and the text itself, once it has ended.
refused(20009, 400, lambda: client.messages(waiting.sid).update(body=""))
refused(20009, 409, lambda: client.messages(waiting.sid).delete())
assert client.messages(sent[-1]).update(body="").body == ""
assert client.messages(sent[-1]).delete()
refused(20404, 404, lambda: client.messages(sent[-1]).fetch())
assert sent[-1] not in sids()

# Credentials: an API key is as good as the token; anything else is refused.
assert Client(key, key_secret, account, http_client=Redirected()).messages.list(limit=1)
for wrong in [Client(account, "wrong", http_client=Redirected()), Client(key, "wrong", account, http_client=Redirected())]:
    refused(20003, 401, lambda: wrong.messages(waiting.sid).fetch())
print("twilio: all came out as told")
