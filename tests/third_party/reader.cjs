// A desk round a library that verifies device responses: what the library leaves to others, so that it can be tried at all.
// A presentation is a generator: it yields what it wants of the card, and ends with what it tells.
"use strict";

const { answerLines, bytes, hex } = require("./lines.cjs");

const SCAN = { role: "screen", message: hex(Buffer.from("scan")), step: "scan QR code" };

// reader: {present(world, scanned) -> async generator}; the world: {trust, iaca, sam, physician, nowMs}.
function serve(present) {
  let world = {};
  let running;

  async function next(value) {
    const { done, value: found } = await running.next(value);
    return done ? { told: found } : { wants: { timeout_s: 10, ...found } };
  }

  answerLines({
    new: ({ trust, iaca, sam, physician }) => {
      world = { trust: bytes(trust), iaca: bytes(iaca), sam, physician };
    },
    lists: () => {}, // neither library knows status lists
    begin: ({ task, now_ms }) => {
      if (task !== "register") throw new Error("a library has no desk: it reads what a registration asks for, and nothing else");
      world.nowMs = now_ms;
      running = told(world);
      return next();
    },
    answer: ({ outcome, reply }) => next(outcome === "replied" ? bytes(reply) : undefined),
  });

  async function* told(of) {
    try {
      const card_no = yield* present(of);
      return { done: true, card_no };
    } catch (error) {
      return { done: false, text: `${error.name}: ${String(error.message).split("\n")[0]}`.slice(0, 300) };
    }
  }
}

// What came, or the end of it.
function need(reply, what) {
  if (reply === undefined) throw new Error(`no ${what}`);
  return reply;
}

module.exports = { SCAN, need, serve };
