// npm @auth0/mdl as a judge of device responses.
// stdin: JSON, an array of {name, response, transcript, readerKey, roots, nowMs}; byte strings in hex.
//   transcript: SessionTranscriptBytes (#6.24); readerKey: COSE_Key of the ephemeral reader key, private; roots: PEM.
// stdout: JSON, {name: {failed: [ids of the library's checks], passed: [the same], error: "" or what it threw,
//   values: {namespace: {element: text or hex}}}}.
"use strict";

// The library asks the machine's clock in several places. Each case brings its own moment.
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

const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const plain = (value) => (value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value);

async function judge(asked) {
  const failed = [];
  const passed = [];
  const verdict = { failed, passed, error: "", values: {} };
  nowMs = asked.nowMs;
  try {
    const found = await new Verifier(asked.roots).verify(bytes(asked.response), {
      encodedSessionTranscript: bytes(asked.transcript),
      ephemeralReaderKey: bytes(asked.readerKey),
      onCheck: (check) => (check.status === "PASSED" ? passed : failed).push(check.id),
    });
    for (const document of found.documents) {
      for (const [space, items] of Object.entries(document.issuerSigned.nameSpaces ?? {})) {
        verdict.values[space] = Object.fromEntries(items.map((item) => [item.elementIdentifier, plain(item.elementValue)]));
      }
    }
  } catch (error) {
    verdict.error = `${error.name}: ${error.message}`;
  }
  return verdict;
}

async function main() {
  const verdicts = {};
  for (const asked of JSON.parse(require("node:fs").readFileSync(0, "utf8"))) verdicts[asked.name] = await judge(asked);
  process.stdout.write(JSON.stringify(verdicts));
}

main();
