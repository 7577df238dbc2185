// npm @owf/mdoc as a judge of requests and responses, and as a reader and a wallet that we did not write.
// stdin: JSON, an array of cases {name, do, ...}; byte strings in hex. stdout: JSON, {name: answer}.
//   "read request"   {request, transcript}                          -> {passed, failed: [its checks], error}
//   "read response"  {response, transcript, roots, nowMs}           -> the same; roots: DER
//   "ask"            {doctype, elements, transcript, key, chain}    -> {made: DeviceRequest "1.0" with readerAuth}
//   "answer"         {request, transcript, elements, authorized, device, own, issuer, chain, signedMs, untilMs}
//                                                                   -> {made: DeviceResponse, its own credential in it}
// key, device, issuer: COSE_Key with the private part; chain: DER, leaf first; transcript: SessionTranscript (no tag).
// It does not check a reader's chain.
"use strict";

const {
  CoseKey, DataItem, DeviceKey, DeviceNamespaces, DeviceRequest, DeviceSignedItems, DocRequest, Holder, Issuer, ItemsRequest,
  KeyAuthorizations, ReaderAuth, SessionTranscript, Verifier, cborDecode, cborEncode,
} = require("@owf/mdoc");
const { context } = require("./owf_context.cjs");

const ES256 = -7;
const X5CHAIN = 33;
const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const hex = (raw) => Buffer.from(raw).toString("hex");
const keyOf = (raw) => CoseKey.decode(bytes(raw));
const map = (object) => new Map(Object.entries(object));

async function checked(check) {
  const verdict = { passed: [], failed: [], error: "" };
  try {
    await check((item) => (item.status === "PASSED" ? verdict.passed : verdict.failed).push(item.check));
  } catch (error) {
    verdict.error = `${error.name}: ${error.message}`;
  }
  return verdict;
}

const acts = {
  "read request": ({ request, transcript }) =>
    checked((verificationCallback) =>
      Holder.verifyDeviceRequest({ deviceRequest: bytes(request), sessionTranscript: bytes(transcript), verificationCallback }, context)),

  "read response": ({ response, transcript, roots, nowMs }) =>
    checked((onCheck) =>
      Verifier.verifyDeviceResponse({
        deviceResponse: bytes(response), sessionTranscript: SessionTranscript.decode(bytes(transcript)),
        trustedCertificates: roots.map(bytes), now: new Date(nowMs), onCheck,
      }, context)),

  ask: async ({ doctype, elements, transcript, key, chain }) => {
    const itemsRequest = ItemsRequest.create({ docType: doctype, namespaces: elements });
    const sessionTranscript = SessionTranscript.decode(bytes(transcript));
    // The library keeps its class for this structure to itself; its other classes make the parts.
    const parts = ["ReaderAuthentication", sessionTranscript.encodedStructure, DataItem.fromData(itemsRequest.encodedStructure)];
    const readerAuth = await ReaderAuth.create({
      signingKey: keyOf(key), algorithm: ES256, protectedHeaders: new Map([[1, ES256]]),
      unprotectedHeaders: new Map([[X5CHAIN, chain.map(bytes)]]),
      detachedPayload: cborEncode(DataItem.fromData(parts)),
    }, context);
    return { made: hex(DeviceRequest.create({ docRequests: [DocRequest.create({ itemsRequest, readerAuth })] }).encode()) };
  },

  answer: async (asked) => {
    const deviceRequest = DeviceRequest.decode(bytes(asked.request));
    const device = cborDecode(bytes(asked.device));
    const issuer = new Issuer(deviceRequest.docRequests[0].itemsRequest.docType, context);
    for (const [space, values] of Object.entries(asked.elements)) issuer.addIssuerNamespace(space, values);
    const issued = await issuer.sign({
      signingKey: keyOf(asked.issuer), algorithm: ES256, digestAlgorithm: "SHA-256", certificates: asked.chain.map(bytes),
      validityInfo: { signed: new Date(asked.signedMs), validFrom: new Date(asked.signedMs), validUntil: new Date(asked.untilMs) },
      deviceKeyInfo: {
        deviceKey: DeviceKey.fromEncodedStructure(new Map([...device].filter(([label]) => label !== -4))),
        keyAuthorizations: KeyAuthorizations.create({ namespaces: asked.authorized }),
      },
    });
    const items = ([space, values]) => [space, DeviceSignedItems.create({ deviceSignedItems: map(values) })];
    const own = new Map(Object.entries(asked.own).map(items));
    const made = await Holder.createDeviceResponseForDeviceRequest({
      deviceRequest, sessionTranscript: SessionTranscript.decode(bytes(asked.transcript)), issuerSigned: [issued],
      deviceNamespaces: DeviceNamespaces.create({ deviceNamespaces: own }),
      signature: { signingKey: CoseKey.fromEncodedStructure(new Map([...device, [3, ES256]])) },
    }, context);
    return { made: hex(made.encode()) };
  },
};

async function main() {
  const answers = {};
  for (const asked of JSON.parse(require("node:fs").readFileSync(0, "utf8"))) answers[asked.name] = await acts[asked.do](asked);
  process.stdout.write(JSON.stringify(answers));
}

main();
