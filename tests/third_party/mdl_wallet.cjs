// npm @auth0/mdl as a wallet: it makes a device response for a presentation definition, and nothing else of a wallet. So the engagement,
// session encryption, reading the request and judging who asks are left to others: here is as much of them as it takes to have a
// response from the library. Where it throws, nobody answers.
"use strict";

const { DeviceResponse, MDoc, parse } = require("@auth0/mdl");
const { DataItem, cborDecode, cborEncode } = require("@auth0/mdl/lib/cbor");
const { answerLines, bytes, hex } = require("./lines.cjs");
const { Cipher, jwkOf, newKey, publicOf } = require("./session.cjs");

const RECORDS = "tw.nhi.bench.records.1";
const BLE_SERVICE = "00112233445566778899aabbccddeeff";
const wallet = {};

const coseKey = ({ x, y }) => new Map([[1, 2], [-1, 1], [-2, Buffer.from(x, "base64url")], [-3, Buffer.from(y, "base64url")]]);

// An IssuerSigned as an issuer hands it out, in the only form that the library reads: a response.
function held(doctype, issuerSigned) {
  const document = new Map([["docType", doctype], ["issuerSigned", issuerSigned]]);
  return parse(cborEncode(new Map([["version", "1.0"], ["documents", [document]], ["status", 0]])));
}

function definition({ docType, nameSpaces }) {
  const fields = [...nameSpaces].flatMap(([space, elements]) =>
    [...elements.keys()].map((name) => ({ path: [`$['${space}']['${name}']`], intent_to_retain: elements.get(name) })));
  return { id: docType, format: { mso_mdoc: { alg: ["ES256"] } }, constraints: { limit_disclosure: "required", fields } };
}

async function answered(plain) {
  const items = cborDecode(plain).get("docRequests").map((each) => Object.fromEntries(each.get("itemsRequest").data));
  const response = await DeviceResponse.from(wallet.issued)
    .usingPresentationDefinition({ id: "request", input_descriptors: items.map(definition) })
    .usingSessionTranscriptBytes(wallet.transcript)
    .addDeviceNameSpace(RECORDS, { generation: 0 })
    .authenticateWithSignature({ ...jwkOf(wallet.key), alg: "ES256" }, "ES256")
    .sign();
  return response.encode();
}

answerLines({
  new: () => {
    wallet.key = newKey();
    wallet.issued = new MDoc([]);
    return { device_key: hex(cborEncode(coseKey(jwkOf(wallet.key)))), name: "@auth0/mdl" };
  },
  hold: ({ doctype, issuer_signed }) => {
    wallet.issued = held(doctype, cborDecode(bytes(issuer_signed)));
  },
  engage: () => {
    wallet.session = newKey();
    wallet.cipher = undefined;
    const security = [1, DataItem.fromData(coseKey(jwkOf(wallet.session)))];
    const ble = [2, 1, new Map([[0, true], [1, false], [10, Buffer.from(BLE_SERVICE, "hex")]])];
    wallet.engagement = cborEncode(new Map([[0, "1.0"], [1, security], [2, [ble]]]));
    return { engagement: `mdoc:${Buffer.from(wallet.engagement).toString("base64url")}` };
  },
  message: async ({ message }) => {
    const said = cborDecode(bytes(message));
    if (wallet.cipher === undefined) {
      const key = said.get("eReaderKey");
      const transcript = [new DataItem({ buffer: wallet.engagement }), key, null];
      wallet.transcript = cborEncode(DataItem.fromData(transcript));
      const [x, y] = [-2, -3].map((label) => Buffer.from(key.data.get(label)).toString("base64url"));
      wallet.cipher = new Cipher(wallet.session, publicOf({ x, y }), wallet.transcript, "SKDevice");
    }
    if (!said.has("data")) return { message: "" };
    const plain = await answered(wallet.cipher.open(Buffer.from(said.get("data"))));
    return { message: hex(cborEncode(new Map([["data", wallet.cipher.seal(plain)]]))) };
  },
  part: () => {
    wallet.cipher = undefined;
  },
  agree: () => {}, prove: () => {}, approve: () => {}, refuse: () => {},
});
