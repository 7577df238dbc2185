// npm @owf/mdoc as a reader. The library's own: reading the engagement, the transcript, request and readerAuth, and the judgement of the
// response. Left to others: session encryption (session.cjs), and what a desk does with the card.
"use strict";

const {
  CoseKey, DataItem, DeviceEngagement, DeviceRequest, DocRequest, EReaderKey, ItemsRequest, ReaderAuth, SessionTranscript, Verifier,
  DeviceResponse, cborDecode, cborEncode,
} = require("@owf/mdoc");
const { context } = require("../judges/owf_context.cjs");
const { bytes, hex } = require("./lines.cjs");
const { SCAN, need, serve } = require("./reader.cjs");
const { Cipher, TERMINATION, jwkOf, newKey, publicOf } = require("./session.cjs");

const ES256 = -7;
const X5CHAIN = 33;
const DOCTYPE = "tw.nhi.bench.vhc.1";
const BASIC = "tw.nhi.bench.basic.1";
const ASKED = { [BASIC]: { name: false, birth_date: false, card_no: false, id_no: false } };

async function request(sam, sessionTranscript) {
  const itemsRequest = ItemsRequest.create({ docType: DOCTYPE, namespaces: ASKED });
  const parts = ["ReaderAuthentication", sessionTranscript.encodedStructure, DataItem.fromData(itemsRequest.encodedStructure)];
  const readerAuth = await ReaderAuth.create({
    signingKey: CoseKey.decode(bytes(sam.key)), algorithm: ES256, protectedHeaders: new Map([[1, ES256]]),
    unprotectedHeaders: new Map([[X5CHAIN, sam.chain.map(bytes)]]), detachedPayload: cborEncode(DataItem.fromData(parts)),
  }, context);
  return DeviceRequest.create({ docRequests: [DocRequest.create({ itemsRequest, readerAuth })] });
}

async function judged(world, deviceRequest, plain, sessionTranscript, key) {
  const failed = [];
  const onCheck = ({ status, check, reason }) => status === "PASSED" || failed.push(reason ?? check);
  await Verifier.verifyDeviceResponse({
    deviceRequest, deviceResponse: plain, sessionTranscript, trustedCertificates: [world.iaca], now: new Date(world.nowMs), onCheck,
    ephemeralReaderKey: CoseKey.fromJwk(jwkOf(key)),
  }, context);
  if (failed.length > 0) throw new Error(failed.join("; "));
  const document = DeviceResponse.decode(plain).documents?.find(({ docType }) => docType === DOCTYPE);
  if (document === undefined) throw new Error("no document of this type in the response");
  const items = document.issuerSigned.issuerNamespaces?.issuerNamespaces.get(BASIC) ?? [];
  return items.find((item) => item.elementIdentifier === "card_no")?.elementValue ?? "";
}

serve(async function* present(world) {
  const text = Buffer.from(need(yield SCAN, "code")).toString("latin1");
  if (!text.startsWith("mdoc:")) throw new Error("the code is no engagement");
  const engagement = new Uint8Array(Buffer.from(text.slice(5), "base64url"));
  const deviceEngagement = DeviceEngagement.decode(engagement);
  need(yield { role: "wallet", message: hex(engagement), step: "connect", connect: true }, "connection");
  const key = newKey();
  const { d, ...open } = jwkOf(key);
  const eReaderKey = EReaderKey.decode(CoseKey.fromJwk(open).encode());
  const sessionTranscript = SessionTranscript.forQrHandover({ deviceEngagement, eReaderKey });
  const transcript = cborEncode(DataItem.fromData(sessionTranscript.encodedStructure));
  const cipher = new Cipher(key, publicOf(deviceEngagement.security.eDeviceKey.jwk), transcript, "SKReader");
  const deviceRequest = await request(world.sam, sessionTranscript);
  const first = new Map([["eReaderKey", DataItem.fromData(eReaderKey.encodedStructure)], ["data", cipher.seal(deviceRequest.encode())]]);
  const reply = need(yield { role: "wallet", message: hex(cborEncode(first)), step: "present virtual card" }, "answer");
  const plain = cipher.open(Buffer.from(need(cborDecode(reply).get("data"), "data in the answer")));
  const cardNo = await judged(world, deviceRequest, plain, sessionTranscript, key);
  yield { role: "wallet", message: hex(cborEncode(new Map([["status", TERMINATION]]))), step: "end session" };
  return cardNo;
});
