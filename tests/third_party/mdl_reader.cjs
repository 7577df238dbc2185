// npm @auth0/mdl as a reader. The library's own: the judgement of the response. Everything before it is left to others: engagement,
// session (session.cjs), the request, which stands here without readerAuth, for a scripted card does not ask for one.
"use strict";

// The library asks the machine's clock: it gets the bench's.
const RealDate = Date;
let nowMs = 0;
globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length ? args : [nowMs]));
  }

  static now() {
    return nowMs;
  }
};

const { Verifier } = require("@auth0/mdl");
const { DataItem, cborDecode, cborEncode } = require("@auth0/mdl/lib/cbor");
const { hex } = require("./lines.cjs");
const { SCAN, need, serve } = require("./reader.cjs");
const { Cipher, TERMINATION, jwkOf, newKey, publicOf } = require("./session.cjs");

const DOCTYPE = "tw.nhi.bench.vhc.1";
const BASIC = "tw.nhi.bench.basic.1";
const ASKED = ["name", "birth_date", "card_no", "id_no"];

const raw = (text) => Buffer.from(text, "base64url");
const coseKey = ({ x, y, d }) => new Map([[1, 2], [-1, 1], [-2, raw(x)], [-3, raw(y)], ...(d ? [[-4, raw(d)]] : [])]);

function pem(der) {
  const lines = Buffer.from(der).toString("base64").match(/.{1,64}/g);
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function request() {
  const names = new Map(ASKED.map((name) => [name, false]));
  const items = new Map([["docType", DOCTYPE], ["nameSpaces", new Map([[BASIC, names]])]]);
  return cborEncode(new Map([["version", "1.0"], ["docRequests", [new Map([["itemsRequest", DataItem.fromData(items)]])]]]));
}

async function judged(world, plain, transcript, key) {
  const failed = [];
  const found = await new Verifier([pem(world.iaca)]).verify(new Uint8Array(plain), {
    encodedSessionTranscript: transcript, ephemeralReaderKey: cborEncode(coseKey(jwkOf(key))),
    onCheck: ({ status, check }) => status === "PASSED" || failed.push(check),
  });
  if (failed.length > 0) throw new Error(failed.join("; "));
  const document = found.documents.find(({ docType }) => docType === DOCTYPE);
  if (document === undefined) throw new Error("no document of this type in the response");
  return document.getIssuerNameSpace(BASIC)?.card_no ?? "";
}

serve(async function* present(world) {
  nowMs = world.nowMs;
  const text = Buffer.from(need(yield SCAN, "code")).toString("latin1");
  if (!text.startsWith("mdoc:")) throw new Error("the code is no engagement");
  const engagement = new Uint8Array(raw(text.slice(5)));
  need(yield { role: "wallet", message: hex(engagement), step: "connect", connect: true }, "connection");
  const key = newKey();
  const { d, ...open } = jwkOf(key);
  const eReaderKey = DataItem.fromData(coseKey(open));
  const transcript = cborEncode(DataItem.fromData([new DataItem({ buffer: engagement }), eReaderKey, null]));
  const device = cborDecode(engagement).get(1)[1].data;
  const [x, y] = [-2, -3].map((label) => Buffer.from(device.get(label)).toString("base64url"));
  const cipher = new Cipher(key, publicOf({ x, y }), transcript, "SKReader");
  const first = cborEncode(new Map([["eReaderKey", eReaderKey], ["data", cipher.seal(request())]]));
  const reply = need(yield { role: "wallet", message: hex(first), step: "present virtual card" }, "answer");
  const plain = cipher.open(Buffer.from(need(cborDecode(reply).get("data"), "data in the answer")));
  const cardNo = await judged(world, plain, transcript, key);
  yield { role: "wallet", message: hex(cborEncode(new Map([["status", TERMINATION]]))), step: "end session" };
  return cardNo;
});
