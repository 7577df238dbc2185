// npm @owf/mdoc as a judge of requests and responses, and as a reader and a wallet that we did not write.
// stdin: JSON, an array of cases {name, do, ...}; byte strings in hex. stdout: JSON, {name: answer}.
//   "read request"   {request, transcript}                          -> {passed, failed: [its checks], error}
//   "read response"  {response, transcript, roots, nowMs}           -> the same; roots: DER
//   "ask"            {doctype, elements, transcript, key, chain}    -> {made: DeviceRequest "1.0" with readerAuth}
//   "answer"         {request, transcript, elements, authorized, device, own, issuer, chain, signedMs, untilMs}
//                                                                   -> {made: DeviceResponse, its own credential in it}
// key, device, issuer: COSE_Key with the private part; chain: DER, leaf first; transcript: SessionTranscript (no tag).
// The library leaves cryptography to its caller: here OpenSSL's, by Node.js. It does not check a reader's chain. Its MACs leave
// out external_aad, which RFC 9052 clause 6.3 wants, and are not used.
"use strict";

const crypto = require("node:crypto");
const {
  CoseKey, DataItem, DeviceKey, DeviceNamespaces, DeviceRequest, DeviceSignedItems, DocRequest, Holder, Issuer, ItemsRequest,
  KeyAuthorizations, ReaderAuth, SessionTranscript, Verifier, cborDecode, cborEncode,
} = require("@owf/mdoc");

const ES256 = -7;
const X5CHAIN = 33;
const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const hex = (raw) => Buffer.from(raw).toString("hex");
const keyOf = (raw) => CoseKey.decode(bytes(raw));
const map = (object) => new Map(Object.entries(object));

function notUsed() {
  throw new Error("MACs of this library are not used");
}

function jwk(key, parts) {
  const part = (raw) => Buffer.from(raw).toString("base64url");
  return { kty: "EC", crv: "P-256", ...Object.fromEntries(parts.map((name) => [name, part(key[name])])) };
}

function verifyChain({ trustedCertificates, x5chain, now }) {
  const at = now ?? new Date();
  const chain = x5chain.map((der) => new crypto.X509Certificate(der));
  const roots = trustedCertificates.map((der) => new crypto.X509Certificate(der));
  chain.forEach((certificate, number) => {
    const issuers = number + 1 < chain.length ? [chain[number + 1]] : roots;
    const issued = (issuer) => certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey) && issuer.ca;
    if (!issuers.some(issued)) throw new Error(`certificate ${number} does not chain to a root`);
    if (at < certificate.validFromDate || at > certificate.validToDate) throw new Error(`certificate ${number} is out of date`);
  });
}

const context = {
  crypto: {
    random: (length) => crypto.randomBytes(length),
    digest: ({ digestAlgorithm, bytes: raw }) => crypto.createHash(digestAlgorithm.replace("-", "")).update(raw).digest(),
    calculateEphemeralMacKey: notUsed,
  },
  cose: {
    sign1: {
      sign: ({ toBeSigned, key }) => {
        const signer = crypto.createPrivateKey({ key: jwk(key, ["x", "y", "d"]), format: "jwk" });
        return new Uint8Array(crypto.sign("sha256", toBeSigned, { key: signer, dsaEncoding: "ieee-p1363" }));
      },
      verify: ({ key, sign1 }) => {
        const verifier = crypto.createPublicKey({ key: jwk(key, ["x", "y"]), format: "jwk" });
        return crypto.verify("sha256", sign1.toBeSigned, { key: verifier, dsaEncoding: "ieee-p1363" }, sign1.signature);
      },
    },
    mac0: { sign: notUsed, verify: notUsed },
  },
  x509: {
    getIssuerNameField: ({ certificate, field }) => {
      const lines = new crypto.X509Certificate(certificate).issuer.split("\n");
      return lines.filter((line) => line.startsWith(`${field}=`)).map((line) => line.slice(field.length + 1));
    },
    getPublicKey: ({ certificate }) => CoseKey.fromJwk(new crypto.X509Certificate(certificate).publicKey.export({ format: "jwk" })),
    verifyCertificateChain: verifyChain,
    getCertificateData: ({ certificate }) => {
      const read = new crypto.X509Certificate(certificate);
      return {
        issuerName: read.issuer, subjectName: read.subject, serialNumber: read.serialNumber, thumbprint: read.fingerprint256,
        notBefore: read.validFromDate, notAfter: read.validToDate, pem: read.toString(),
      };
    },
  },
};

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
