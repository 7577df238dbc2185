// Session encryption of ISO/IEC 18013-5 clause 9.1.1, which neither @owf/mdoc nor @auth0/mdl has: ours, so that the libraries can be
// tried at all. What it does is nobody's PASS: the declarations beside say that it is left to others.
"use strict";

const crypto = require("node:crypto");

const TAG_BYTES = 16;
const TERMINATION = 20;
const ENCRYPTION_ERROR = 10;

// key: private, and peer: public, as crypto.KeyObject; transcript: SessionTranscriptBytes; own: "SKDevice" or "SKReader".
class Cipher {
  constructor(key, peer, transcript, own) {
    const shared = crypto.diffieHellman({ privateKey: key, publicKey: peer });
    const salt = crypto.createHash("sha256").update(transcript).digest();
    const derive = (info) => Buffer.from(crypto.hkdfSync("sha256", shared, salt, info, 32));
    const other = own === "SKDevice" ? "SKReader" : "SKDevice";
    this.keys = { [own]: derive(own), [other]: derive(other) };
    [this.own, this.other] = [own, other];
    this.counters = { SKDevice: 0, SKReader: 0 };
  }

  iv(name) {
    const iv = Buffer.alloc(12);
    iv.writeUInt32BE(name === "SKDevice" ? 1 : 0, 4);
    iv.writeUInt32BE(++this.counters[name], 8);
    return iv;
  }

  seal(plain) {
    const cipher = crypto.createCipheriv("aes-256-gcm", this.keys[this.own], this.iv(this.own));
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  open(sealed) {
    const decipher = crypto.createDecipheriv("aes-256-gcm", this.keys[this.other], this.iv(this.other));
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
  }
}

const newKey = () => crypto.generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const jwkOf = (key) => key.export({ format: "jwk" });
const publicOf = (jwk) => crypto.createPublicKey({ key: { kty: "EC", crv: "P-256", x: jwk.x, y: jwk.y }, format: "jwk" });

module.exports = { Cipher, ENCRYPTION_ERROR, TERMINATION, jwkOf, newKey, publicOf };
