"""The official VAPI client against the simulator: whatever it can say is understood, and what it reads is VAPI's.

Arguments: the simulator's address, its key, its assistant, its phone number, the address that it reports to.
Prints one line for each thing that holds, and ends with a traceback at the first that does not.
"""

import datetime as dt
import sys
import warnings

from vapi import AssistantOverrides, BackoffPlan, CreateCustomerDto, Server, Vapi
from vapi.core.api_error import ApiError

warnings.filterwarnings("ignore", "Pydantic serializer warnings")
base_url, key, assistant, number, report_url = sys.argv[1:6]
# The client retries by itself, POST included; the answers of one request are what is looked at here.
client = Vapi(token=key, base_url=base_url)
once = {"max_retries": 0}


def shown(name):
    print("ok", name)


def overrides(**more):
    server = Server(
        url=report_url,
        headers={"X-Vapi-Secret": "sdk-secret"},
        # The client's own type for "type" is wrong, so it is not asked to check it.
        backoff_plan=BackoffPlan.model_construct(type="exponential", max_retries=5, base_delay_seconds=2),
    )
    return AssistantOverrides(
        metadata={"bookingCallId": "bc_sdk"},
        variable_values={"providerName": "Bright Dental", "preferredDate": "2099-05-04"},
        server_messages=["status-update", "end-of-call-report"],
        server=server,
        **more,
    )


def create(name, **more):
    call = {
        "assistant_id": assistant,
        "phone_number_id": number,
        "customer": CreateCustomerDto(number="+14155550177"),
        "name": name,
        "assistant_overrides": overrides(),
        "request_options": once,
    }
    return client.calls.create(**{**call, **more})


def refusal(act):
    try:
        act()
    except ApiError as error:
        return error.status_code, error.body
    raise AssertionError("it was not refused")


began = dt.datetime.now(dt.timezone.utc) - dt.timedelta(seconds=1)
placed = create("sdk-one")
assert placed.id and placed.status == "queued" and placed.name == "sdk-one", placed
assert placed.assistant_overrides.metadata["bookingCallId"] == "bc_sdk", placed.assistant_overrides
assert placed.assistant_overrides.server.headers["X-Vapi-Secret"] == "sdk-secret"
shown("a call is placed with headers for its reports")

first = client.calls.get(placed.id, request_options=once)
assert first.id == placed.id and first.status == "ringing" and first.created_at >= began, first
ended = client.calls.get(placed.id, request_options=once)
assert ended.status == "ended" and ended.ended_reason == "assistant-ended-call", ended
data = ended.analysis.structured_data
assert data["booking_confirmed"] is True and data["confirmed_date"] == "2099-05-04", data
assert "appointment" in ended.artifact.transcript
shown("it is polled until it ends, and books the day that was asked for")

second = create("sdk-two")


def ids(**filters):
    return [call.id for call in client.calls.list(**filters, request_options=once)]


assert ids() == [second.id, placed.id]
assert ids(limit=1) == [second.id]
assert ids(id=placed.id, assistant_id=assistant, phone_number_id=number) == [placed.id]
assert ids(created_at_ge=began, created_at_le=second.created_at) == [second.id, placed.id]
assert ids(created_at_gt=second.created_at) == [] and ids(created_at_lt=began) == []
assert ids(assistant_id="another") == []
shown("lists are filtered")

status, body = refusal(lambda: create("x" * 41))
assert status == 400 and body["statusCode"] == 400 and body["error"] == "Bad Request", body
assert any("name must be shorter" in text for text in body["message"]), body
extra = {"additional_body_parameters": {"metadata": {"a": 1}}, "max_retries": 0}
status, body = refusal(lambda: create("sdk-three", request_options=extra))
assert status == 400 and body["message"] == ["property metadata should not exist"], body
odd = overrides()
odd = AssistantOverrides(**{**odd.model_dump(by_alias=True, exclude_none=True), "server": {"url": "u", "secret": "s"}})
status, body = refusal(lambda: create("sdk-four", assistant_overrides=odd))
assert status == 400, body
assert body["message"] == ["assistantOverrides.server.property secret should not exist"], body
shown("names that the published API lacks are refused, at every depth")

status, _ = refusal(lambda: client.calls.get("none", request_options=once))
assert status == 404, status
status, _ = refusal(lambda: Vapi(token="wrong", base_url=base_url).calls.list(request_options=once))
assert status == 401, status
assert len(ids()) == 2, "a refused call was placed"
shown("unknown calls and wrong keys are told, and what is refused is not placed")
