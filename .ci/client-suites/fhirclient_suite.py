"""fhirclient (SMART on FHIR), as its users call it; it parses every answer into its own R4 models."""

import json

import requests
from fhirclient.models.bundle import Bundle
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRNotFoundException, FHIRServer

from suite import FAMILY, Suite, criterion, demand_operation, person, same

suite = Suite("fhirclient")
state = suite.state
server = FHIRServer(None, base_uri=suite.door["url"])
# Its own sign-in is SMART's; a key goes into the session that it sends everything with.
server.session.headers["Authorization"] = "Bearer " + suite.door["bearer"]
BY_SESSION = "through its session: there is no function"


def send(method, path, body=None, content_type="application/fhir+json", **headers):
    """The lowest level: the requests.Session of the server."""
    answer = server.session.request(
        method,
        server.base_uri + path,
        data=None if body is None else json.dumps(body),
        headers={"Content-Type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}},
    )
    server.raise_for_status(answer)
    return answer


def metadata():
    server.get_capability()
    same(server.capabilityStatement.fhirVersion, "4.0.1")


def create():
    for number in range(12):
        made = Patient(person(f"p{number}", active=number % 2 == 0)).create(server)
        assert made["id"] and made["meta"]["versionId"] == "1", made
        state[number] = made["id"]


def read():
    found = Patient.read(state[0], server)
    same((found.name[0].family, found.birthDate.isostring), (FAMILY, "1980-02-29"))


def search():
    found = Patient.where({"family": FAMILY, "gender": "female", "birthdate": "ge1980-02-29", "active": "true"})
    same(len(found.perform_resources(server)), 6)
    same(Patient.where({"identifier": criterion("p3")}).perform_resources(server)[0].id, state[3])


def pages():
    found = Patient.where({"family": FAMILY, "_count": "5", "_sort": "-_lastUpdated"})
    ids = [one.id for one in found.perform_resources_iter(server)]
    same(sorted(ids), sorted(state[number] for number in range(12)))


def update():
    one = Patient.read(state[0], server)
    one.gender = "other"
    same(one.update(server)["meta"]["versionId"], "2")


def conditional_create():
    made = [send("POST", "Patient", person("once"), If_None_Exist="identifier=" + criterion("once")) for _ in range(2)]
    same([answer.status_code for answer in made], [201, 200])
    same(Patient(made[0].json()).id, Patient(made[1].json()).id)
    return BY_SESSION


def conditional_update():
    path = "Patient?identifier=" + criterion("upsert")
    first = server.put_json(path, person("upsert"))
    again = server.put_json(path, person("upsert", active=True))
    same((first.status_code, again.status_code), (201, 200))
    same(again.json()["meta"]["versionId"], "2")
    return "through FHIRServer.put_json: there is no function"


def patch():
    operations = [{"op": "replace", "path": "/gender", "value": "unknown"}]
    done = send("PATCH", "Patient/" + state[1], operations, "application/json-patch+json")
    same(Patient(done.json()).gender, "unknown")
    return BY_SESSION


def conditional_patch():
    path = "Patient?identifier=" + criterion("p1")
    done = send("PATCH", path, {"active": True}, "application/merge-patch+json")
    same((done.json()["id"], done.json()["active"]), (state[1], True))
    return BY_SESSION


def history():
    listed = Bundle.read_from(f"Patient/{state[0]}/_history", server)
    same([entry.resource.meta.versionId for entry in listed.entry], ["2", "1"])
    return "through Bundle.read_from"


def validate():
    demand_operation(server.capabilityStatement.as_json(), "validate")
    outcome = server.post_json("Patient/$validate", person("invalid", gender="x")).json()
    same(outcome["resourceType"], "OperationOutcome")
    return "through FHIRServer.post_json: there is no function"


def errors():
    try:
        server.post_json("Patient", person("bad", birthDate="1980-02-30"))
    except requests.HTTPError as refused:
        same(refused.response.status_code, 400)
        same(refused.response.json()["issue"][0]["expression"], ["Patient.birthDate"])
    else:
        raise AssertionError("an impossible date was taken")
    try:
        Patient.read("nobody", server)
    except FHIRNotFoundException as missing:
        assert "Patient/nobody" in missing.response.text, missing.response.text
        return "the exception holds the response, its text shows the status alone"
    raise AssertionError("nobody was found")


def delete():
    Patient.read(state[4], server).delete()
    try:
        Patient.read(state[4], server)
    except requests.HTTPError as gone:
        same(gone.response.status_code, 410)
    else:
        raise AssertionError("a deleted one was read")


def conditional_delete():
    server.delete_json("Patient?identifier=" + criterion("p5"))
    same(Patient.where({"identifier": criterion("p5")}).perform(server).total, 0)
    return "through FHIRServer.delete_json: there is no function"


for name, interaction in [
    ("capabilities", metadata),
    ("create", create),
    ("read", read),
    ("search", search),
    ("pages to the end", pages),
    ("update", update),
    ("conditional create", conditional_create),
    ("conditional update", conditional_update),
    ("patch", patch),
    ("conditional patch", conditional_patch),
    ("history", history),
    ("$validate", validate),
    ("errors", errors),
    ("delete", delete),
    ("conditional delete", conditional_delete),
]:
    suite.run(name, interaction)
