"""PyPI ``isomdoc`` as a judge of device responses: signatures of issuer and device, digests; no chain, no MAC, no dates.

stdin: JSON, an array of {name, response, transcript}, in hex (transcript: SessionTranscript, no tag). stdout: JSON,
{name: {error: "" or what was raised, names: [elements]}}.
"""

import json
import sys

import cbor2
from isomdoc.verify import verify_mdoc


def main():
    answers = {}
    for asked in json.load(sys.stdin):
        answer = answers[asked["name"]] = {"error": "", "names": []}
        try:
            transcript = cbor2.loads(bytes.fromhex(asked["transcript"]))
            found = verify_mdoc.verify_device_response(bytes.fromhex(asked["response"]), transcript)
            spaces = [space for document in found.documents for space in document.issuer_signed.namespaces.values()]
            answer["names"] = sorted(item.element_identifier for items in spaces for item in items)
        except Exception as e:
            answer["error"] = f"{type(e).__name__}: {e}"
    json.dump(answers, sys.stdout)


main()
