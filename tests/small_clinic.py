"""A small clinic's software as somebody else would write it: standard library only, nothing of the bench's imported.

It was written from docs/reference/programs.md, control-software.md, data-centre-http.md and uploads.md, and the buffers of
manual 3.3. It registers by the calls of that manual, uploads files of format 2.0 to the resource of the data centre, and does
nothing else: no prescriptions, no virtual cards, no home visits, no format 1.0.
"""

import http.client
import json
import ssl
import sys
import urllib.parse

LIMIT_S = 30
FEES = {"outpatient": "M44", "outpatient_copay": "M45", "inpatient": "M46", "inpatient_copay_short": "M47"}


class Http:
    """One service: requests with JSON or another body. ``None`` where no answer comes."""

    def __init__(self, url, ca, certificate=None, key=None):
        self.host = urllib.parse.urlsplit(url).netloc
        self.tls = ssl.create_default_context(cafile=ca)
        if certificate:
            self.tls.load_cert_chain(certificate, key)

    def post(self, path, body, media_type="application/json"):
        line = http.client.HTTPSConnection(self.host, timeout=LIMIT_S, context=self.tls)
        try:
            line.request("POST", path, body, {"Content-Type": media_type})
            answer = line.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            line.close()


class Clinic:
    def __init__(self, told):
        self.own = told["institution"]
        self.centre = Http(**told["centre"])
        desk = told["control_software"]
        self.desk = Http(desk["local"], desk["ca"])
        self.queue, self.done, self.refused = [], [], []
        self.call("csOpenCom", Comport=0)
        self.call("csVerifySAMDC")  # the day begins with a line

    def call(self, name, **arguments):
        """A call of manual 3.3: its code, and what it puts into pBuffer."""
        answer = self.desk.post(f"/bench/v1/call/{name}", json.dumps({"arguments": arguments}))
        if answer is None or "code" not in answer[1]:
            return "4000", b""
        return answer[1]["code"], bytes.fromhex(answer[1]["out"].get("pBuffer", ""))

    def read(self, name, size, **arguments):
        return self.call(name, **arguments, pBuffer="00" * size, iBufferLen=size)

    # -- what its people do

    def visit(self, asked):
        if asked["how"] != "card":
            return {"error": "it reads physical cards only"}
        person, at = asked["patient"], None
        code, basic = self.read("hisGetBasicData", 72)
        record = {"M05": self.own["code"], "M06": self.own["professional_id"], "M07": asked["visit_type"], "M12": "1"}
        if code == "0":
            item = asked["visit_type"].encode().hex() + "00"
            code, told = self.read("hisGetSeqNumber256N1", 316, cTreatItem=item, cBabyTreat="2000", cTreatAfterCheck="31")
            if code not in ("0", "5010", "5174"):
                return {"code": code}
            at, identifier = told[:13].decode(), told[296:316].decode().strip()
            record |= {"H01": "A", "M01": told[283:295].decode(), "M02": basic[:12].decode(), "M03": basic[32:42].decode(),
                       "M04": basic[42:49].decode(), "M11": at, "M13": told[13:17].decode(), "M14": told[27:283].decode().strip(),
                       "M15": identifier}
        elif code in ("4013", "4033", "4029", "4012"):
            time = self.read("csGetDateTime", 13)[1].decode()
            record |= {"H01": "B", "M03": person["id_no"], "M04": person["birth_date"], "M11": time, "M15": "",
                       "M13": "B000" if code != "4012" else "A030"}
        else:
            return {"code": code}
        fees = asked["fees"] or {"outpatient": 420, "outpatient_copay": 50}
        record |= {"M20": "0", "M23": "2", "M35": "J069", "M51": "4", "M56": "11"}
        record |= {FEES[name]: str(value) for name, value in fees.items()}
        self.queue.append({"record": record, "findings": [], "right": dict(record)})
        if asked["upload"]:
            self.upload(asked)
        if asked["visit_type"] > "08" and record["H01"] == "A":
            record["M13"] = ""  # such a visit is not counted
        number = record["M13"] if record["H01"] == "A" else ""
        situation = record["M13"] if record["H01"] == "B" else ""
        return {"code": "0", "identifier": record["M15"], "sequence": number, "abnormal": situation}

    def upload(self, _):
        shown = "0"
        for one in list(self.queue):
            record = one["record"]
            if not record["M15"]:
                record["M15"] = self.identifier(record)
            if not record["M15"]:
                continue
            answer = self.centre.post(f"/v1/uploads?sam={self.own['sam_id']}", written(record), "application/xml")
            if answer is None:
                continue
            status, report = answer
            results = report.get("results")
            if status != 200 or not isinstance(results, list) or not isinstance(report.get("opcode"), str):
                shown = str(report.get("code", "9070"))
                continue
            self.queue.remove(one)
            fine = bool(results) and all(result["accepted"] for result in results)
            one["findings"] = [f"{f['field']}:{f['code']}" for r in results for f in r["findings"]]
            (self.done if fine else self.refused).append(one)
        return {"code": shown}

    def identifier(self, record):
        if record["H01"] == "A":
            code, told = self.read("hisGetTreatNumICCard", 20, pDateTime=record["M11"].encode().hex() + "00")
        else:
            patient, own = record["M03"].encode().hex() + "00", self.own["code"].encode().hex()
            code, told = self.read("hisGetTreatNumNoICCard", 43, pPatientID=patient, pHospID=own)
        return told[-20:].decode().strip() if code == "0" else ""

    def shelves(self, _):
        return {"queue": len(self.queue), "done": len(self.done), "waiting": 0, "refused": len(self.refused), "rx_waiting": 0,
                "rx_done": 0, "rx_refused": 0, "findings": [" ".join(one["findings"]) for one in self.refused]}

    def mistype(self, _):
        record = self.queue[-1]["record"]
        record["M04"] = f"{int(record['M04'][:3]) + 1:03d}{record['M04'][3:]}"
        return {}

    def correct(self, _):
        one = self.refused.pop(0)
        self.queue.append({**one, "record": {**one["record"], "M04": one["right"]["M04"]}})
        return self.upload(_)

    def version(self, asked):
        return {} if asked["version"] == "2.0" else {"error": "it writes format 2.0 only"}


def written(record):
    """A file of one record, as format 2.0 has it."""
    body = "".join(f"<{name}>{record[name]}</{name}>" for name in sorted(record) if name[0] == "M" and record[name])
    head = f"<MSH><H00>1</H00><H01>{record['H01']}</H01></MSH>"
    return f'<?xml version="1.0" encoding="UTF-8"?><RECS><REC>{head}<MB><MB1>{body}</MB1></MB></REC></RECS>'.encode()


def main():
    clinic, acts = None, {"visit", "upload", "shelves", "mistype", "correct", "version"}
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["do"] == "new":
            clinic, answer = Clinic(asked), {}
        elif asked["do"] in acts:
            answer = getattr(clinic, asked["do"])(asked)
        else:
            answer = {"error": f"it has no {asked['do'].replace('_', ' ')}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


main()
