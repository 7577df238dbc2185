// A program under test, as docs/reference/programs.md has it: one JSON object a line, one answer a line.
"use strict";

const readline = require("node:readline");

// acts: WHAT -> function of the question, whose result is the answer; what it throws is told as {error}.
async function answerLines(acts) {
  console.log = console.error; // a library's own words do not belong on standard output
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let answer;
    try {
      const asked = JSON.parse(line);
      if (!acts[asked.do]) throw new Error(`cannot ${asked.do}`);
      answer = (await acts[asked.do](asked)) ?? {};
    } catch (error) {
      answer = { error: `${error.name}: ${String(error.message).split("\n")[0]}`.slice(0, 300) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const hex = (raw) => Buffer.from(raw).toString("hex");

module.exports = { answerLines, bytes, hex };
