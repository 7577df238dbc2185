// What npm @owf/mdoc leaves to its caller: cryptography (OpenSSL's, by Node.js) and X.509. Its MACs leave out external_aad, which
// RFC 9052 clause 6.3 wants, and are not used.
"use strict";

const crypto = require("node:crypto");
const { CoseKey } = require("@owf/mdoc");

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

module.exports = { context };
