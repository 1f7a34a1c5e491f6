"""What the suites of the Python libraries share: the demo's door, and one line of result per interaction."""

import importlib.metadata
import json
import sys
import traceback
import uuid

# Of this run alone: the suites share a demo.
RUN = uuid.uuid4().hex[:8]
SYSTEM = "urn:example:clients:" + RUN
FAMILY = "Clientele" + RUN


class NotOffered(Exception):
    """The server's /metadata does not list it."""


class Refused(Exception):
    """The library asks for something R4 does not know; the server refuses it and says what to send instead."""


class Suite:
    """Runs interactions one after the other and writes down what came of them."""

    def __init__(self, library):
        self.library = library
        self.version = importlib.metadata.version(library)
        with open(sys.argv[1], encoding="utf-8") as file:
            self.door = json.load(file)["fhir"]
        self.results = open(sys.argv[2], "a", encoding="utf-8")
        self.state = {}

    def run(self, name, interaction):
        """One interaction: it returns a note or nothing, and raises when the server or the library did not do it."""
        try:
            result, note = "ok", interaction() or ""
        except NotOffered as missing:
            result, note = "not offered yet", str(missing)
        except Refused as reason:
            result, note = "refused", str(reason)
        except Exception as error:
            traceback.print_exc()
            result, note = "failed", f"{type(error).__name__}: {error}"
        note = " ".join(note.split())[:300]
        shown = result if result == "ok" else result.upper()
        print(f"{self.library} {self.version}: {name}: {shown} {note}", flush=True)
        self.results.write("\t".join([self.library, self.version, name, result, note]) + "\n")
        self.results.flush()


def person(value, **more):
    """A Patient with one identifier."""
    return {
        "resourceType": "Patient",
        "identifier": [{"system": SYSTEM, "value": value}],
        "name": [{"family": FAMILY, "given": ["Ada"]}],
        "gender": "female",
        "birthDate": "1980-02-29",
        **more,
    }


def criterion(value):
    """The token that finds them."""
    return f"{SYSTEM}|{value}"


def same(found, wanted):
    """Fails with both when they differ."""
    if found != wanted:
        raise AssertionError(f"{found!r} instead of {wanted!r}")


def demand_operation(statement, name):
    """Stops here unless the CapabilityStatement lists the operation for Patient or the system."""
    rest = statement["rest"][0]
    listed = list(rest.get("operation", []))
    for resource in rest["resource"]:
        listed += resource.get("operation", [])
    if not any(operation["name"] == name for operation in listed):
        raise NotOffered(f"/metadata lists no ${name}")
