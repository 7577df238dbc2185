// npm @owf/mdoc as a wallet. The library's own: the engagement, the transcript, reading the request, the check of readerAuth, the
// response. Left to whoever uses it, and done here or not at all: session encryption (session.cjs), a reader's certificates, who may
// have which element, the holder, error codes. What the library refuses to read is answered with status 11, what it finds forged with
// the profile's code for that; where it throws on making a response, nobody answers.
"use strict";

const crypto = require("node:crypto");
const {
  BleOptions, CoseKey, DataItem, DeviceEngagement, DeviceNamespaces, DeviceRequest, DeviceResponse, DeviceRetrievalMethod, DeviceSignedItems,
  DocumentError, EDeviceKey, EReaderKey, Holder, IssuerSigned, Security, SessionTranscript, cborDecode, cborEncode,
} = require("@owf/mdoc");
const { context } = require("../judges/owf_context.cjs");
const { answerLines, bytes, hex } = require("./lines.cjs");
const { Cipher, TERMINATION, jwkOf, newKey, publicOf } = require("./session.cjs");

const ES256 = -7;
const DECODING_ERROR = 11; // status of a response, Table 8 of ISO/IEC 18013-5
const NOT_RETURNED = 0; // error code of the standard
const SAM_FORGED = -17; // the profile's
const RECORDS = "tw.nhi.bench.records.1";
const wallet = {};

function publicKey(made) {
  const { d, ...open } = jwkOf(made);
  return CoseKey.fromJwk(open);
}

// The request for what is there, and the types of document that are not: of anything that the issuer has not signed (the device's own
// word too), and of another document, the library throws.
function held(request) {
  const there = wallet.issued?.issuerNamespaces?.issuerNamespaces ?? new Map();
  const type = wallet.issued?.issuerAuth.mobileSecurityObject.docType;
  const docRequests = request.docRequests.filter(({ itemsRequest }) => itemsRequest.docType === type);
  for (const { itemsRequest } of docRequests) {
    for (const [space, elements] of itemsRequest.namespaces) {
      const names = new Set((there.get(space) ?? []).map((item) => item.elementIdentifier));
      for (const name of [...elements.keys()]) if (!names.has(name)) elements.delete(name);
      if (elements.size === 0) itemsRequest.namespaces.delete(space);
    }
  }
  const missing = request.docRequests.map(({ itemsRequest }) => itemsRequest.docType).filter((each) => each !== type);
  return { deviceRequest: DeviceRequest.create({ version: request.version, docRequests }), missing };
}

function refused(types, code) {
  return types.map((type) => DocumentError.create({ documentError: new Map([[type, code]]) }));
}

// Whether the library finds every readerAuth good.
async function proved(deviceRequest) {
  let good = true;
  const verificationCallback = ({ status }) => {
    good &&= status === "PASSED";
  };
  try {
    await Holder.verifyDeviceRequest({ deviceRequest, sessionTranscript: wallet.transcript, verificationCallback }, context);
  } catch {
    return false;
  }
  return good;
}

async function answered(plain) {
  let request;
  try {
    request = DeviceRequest.decode(plain);
  } catch {
    return DeviceResponse.createSimple({ status: DECODING_ERROR }).encode();
  }
  if (!(await proved(request))) {
    const types = request.docRequests.map(({ itemsRequest }) => itemsRequest.docType);
    return DeviceResponse.createSimple({ documentErrors: refused(types, SAM_FORGED) }).encode();
  }
  const { deviceRequest, missing } = held(request);
  const documentErrors = missing.length > 0 ? refused(missing, NOT_RETURNED) : undefined;
  if (deviceRequest.docRequests.length === 0) return DeviceResponse.createSimple({ documentErrors }).encode();
  const signing = CoseKey.fromJwk({ ...jwkOf(wallet.key), alg: "ES256" });
  const own = new Map([[RECORDS, DeviceSignedItems.create({ deviceSignedItems: new Map([["generation", 0]]) })]]);
  const response = await Holder.createDeviceResponseForDeviceRequest({
    deviceRequest, sessionTranscript: wallet.transcript, issuerSigned: [wallet.issued],
    deviceNamespaces: DeviceNamespaces.create({ deviceNamespaces: own }), signature: { signingKey: signing },
  }, context);
  return DeviceResponse.createSimple({ documents: response.documents, documentErrors }).encode();
}

answerLines({
  new: () => {
    wallet.key = newKey();
    wallet.issued = undefined;
    return { device_key: hex(publicKey(wallet.key).encode()), name: "@owf/mdoc" };
  },
  hold: ({ issuer_signed }) => {
    wallet.issued = IssuerSigned.decode(bytes(issuer_signed));
  },
  engage: () => {
    wallet.session = newKey();
    wallet.cipher = undefined;
    const eDeviceKey = EDeviceKey.decode(publicKey(wallet.session).encode());
    const ble = BleOptions.create({
      peripheralServerMode: true, centralClientMode: false, peripheralServerModeUuid: crypto.randomBytes(16),
    });
    const security = Security.create({ cipherSuiteIdentifier: 1, eDeviceKey });
    const method = DeviceRetrievalMethod.create({ type: 2, version: 1, retrievalOptions: ble });
    // DeviceEngagement.create takes its own parts for encoded ones, and throws.
    const engagement = DeviceEngagement.fromEncodedStructure(
      new Map([[0, "1.0"], [1, security.encodedStructure], [2, [method.encodedStructure]]]),
    );
    wallet.engagement = engagement.encode();
    return { engagement: `mdoc:${Buffer.from(wallet.engagement).toString("base64url")}` };
  },
  message: async ({ message }) => {
    const said = cborDecode(bytes(message));
    if (wallet.cipher === undefined) {
      const eReaderKey = EReaderKey.fromEncodedStructure(said.get("eReaderKey").data);
      const deviceEngagement = DeviceEngagement.decode(wallet.engagement);
      wallet.transcript = SessionTranscript.forQrHandover({ deviceEngagement, eReaderKey });
      const transcript = cborEncode(DataItem.fromData(wallet.transcript.encodedStructure));
      wallet.cipher = new Cipher(wallet.session, publicOf(eReaderKey.jwk), transcript, "SKDevice");
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
