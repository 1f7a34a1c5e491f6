"""Ends well when the demo that wrote this demo.json answers."""

import json
import sys
import urllib.request

with open(sys.argv[1], encoding="utf-8") as file:
    door = json.load(file)["fhir"]
request = urllib.request.Request(door["url"] + "/metadata", headers={"Authorization": "Bearer " + door["bearer"]})
urllib.request.urlopen(request, timeout=5).read()
