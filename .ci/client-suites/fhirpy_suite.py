"""fhirpy, its synchronous client, as its users call it."""

import json

from fhirpy import SyncFHIRClient
from fhirpy.base import exceptions

from suite import FAMILY, Refused, Suite, criterion, demand_operation, person, same

suite = Suite("fhirpy")
client = SyncFHIRClient(suite.door["url"], authorization="Bearer " + suite.door["bearer"])
state = suite.state


def metadata():
    state["statement"] = client.execute("metadata", method="get")
    same(state["statement"]["fhirVersion"], "4.0.1")


def create():
    for number in range(12):
        made = client.resource("Patient", **person(f"p{number}", active=number % 2 == 0))
        made.save()
        assert made.id and made["meta"]["versionId"] == "1", made
        state[number] = made.id


def read():
    found = client.reference("Patient", state[0]).to_resource()
    same(found["name"][0]["family"], FAMILY)


def search():
    found = client.resources("Patient").search(family=FAMILY, gender="female", birthdate__ge="1980-02-29", active=True)
    same(len(found.fetch()), 6)
    same(client.resources("Patient").search(identifier=criterion("p3")).get().id, state[3])
    same(client.resources("Patient").search(family=FAMILY).count(), 12)


def pages():
    found = client.resources("Patient").search(family=FAMILY).sort("-_lastUpdated").limit(5).fetch_all()
    same(sorted(one.id for one in found), sorted(state[number] for number in range(12)))


def update():
    one = client.reference("Patient", state[0]).to_resource()
    one["gender"] = "other"
    one.save()
    same((one["gender"], one["meta"]["versionId"]), ("other", "2"))


def conditional_create():
    headers = {"If-None-Exist": "identifier=" + criterion("once")}
    statuses = [
        client._do_request("post", "Patient", data=person("once"), extra_headers=headers, returning_status=True)
        for _ in range(2)
    ]
    same([status for _, status in statuses], [201, 200])
    same(statuses[0][0]["id"], statuses[1][0]["id"])
    return "through _do_request: get_or_create sends no If-None-Exist"


def query_create():
    """get_or_create puts the criteria into the URL of the POST, which R4 knows nothing of."""
    try:
        client.resources("Patient").search(identifier=criterion("asked")).get_or_create(
            client.resource("Patient", **person("asked"))
        )
    except exceptions.OperationOutcome as refused:
        assert "If-None-Exist" in str(refused), str(refused)
        same(client.resources("Patient").search(identifier=criterion("asked")).count(), 0)
        raise Refused("nothing written: it puts criteria into the URL of a POST, R4 wants If-None-Exist") from None
    raise AssertionError("the condition was ignored")


def conditional_update():
    wanted = client.resources("Patient").search(identifier=criterion("upsert"))
    first, created = wanted.update(client.resource("Patient", **person("upsert")))
    again, created_again = wanted.update(client.resource("Patient", **person("upsert", active=True)))
    same((created, created_again, again["meta"]["versionId"]), (True, False, "2"))
    same(first.id, again.id)


def patch():
    """fhirpy's own patch is a merge patch that says application/json."""
    headers = {"Content-Type": "application/merge-patch+json"}
    path = "Patient/" + state[1]
    same(client._do_request("patch", path, data={"gender": "unknown"}, extra_headers=headers)["gender"], "unknown")
    return "through _do_request, to send the Content-Type of a merge patch"


def own_patch():
    try:
        client.resource("Patient", id=state[2]).patch(gender="unknown")
    except exceptions.OperationOutcome as refused:
        assert "merge-patch" in str(refused), str(refused)
        raise Refused("told which Content-Type: it sends a merge patch as application/json") from None
    same(client.reference("Patient", state[2]).to_resource()["gender"], "unknown")


def conditional_patch():
    headers = {"Content-Type": "application/merge-patch+json"}
    params = {"identifier": [criterion("p1")]}
    done = client._do_request("patch", "Patient", data={"active": True}, params=params, extra_headers=headers)
    same((done["id"], done["active"]), (state[1], True))
    return "through _do_request, as above"


def history():
    listed = client.execute(f"Patient/{state[0]}/_history", method="get")
    same([entry["resource"]["meta"]["versionId"] for entry in listed["entry"]], ["2", "1"])
    return "through execute: there is no function"


def validate():
    demand_operation(state["statement"], "validate")
    assert client.resource("Patient", **person("valid")).is_valid()
    assert not client.resource("Patient", **person("invalid", gender="x")).is_valid()


def errors():
    try:
        client.resource("Patient", **person("bad", birthDate="1980-02-30")).save()
    except exceptions.OperationOutcome as refused:
        issue = refused.resource["issue"][0]
        same(issue["expression"], ["Patient.birthDate"])
        assert issue["details"]["text"] in json.dumps(refused.resource, ensure_ascii=False)
    else:
        raise AssertionError("an impossible date was taken")
    try:
        client.reference("Patient", "nobody").to_resource()
    except exceptions.ResourceNotFound as missing:
        assert "Patient/nobody" in str(missing), str(missing)
        return "the exception holds the whole outcome"
    raise AssertionError("nobody was found")


def delete():
    client.resource("Patient", id=state[4]).delete()
    try:
        client.reference("Patient", state[4]).to_resource()
    except exceptions.ResourceNotFound as gone:
        assert "deleted" in str(gone), str(gone)
    else:
        raise AssertionError("a deleted one was read")


def conditional_delete():
    client.resources("Patient").search(identifier=criterion("p5")).delete()
    same(client.resources("Patient").search(identifier=criterion("p5")).count(), 0)


for name, interaction in [
    ("capabilities", metadata),
    ("create", create),
    ("read", read),
    ("search", search),
    ("pages to the end", pages),
    ("update", update),
    ("conditional create", conditional_create),
    ("get_or_create", query_create),
    ("conditional update", conditional_update),
    ("patch", patch),
    ("its own patch", own_patch),
    ("conditional patch", conditional_patch),
    ("history", history),
    ("$validate", validate),
    ("errors", errors),
    ("delete", delete),
    ("conditional delete", conditional_delete),
]:
    suite.run(name, interaction)
