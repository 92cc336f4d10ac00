// Verifies a sync document without any program of ours: node verify.mjs FILE
// It checks form, signature and digest. Whether the signer is to be trusted is yours to judge, by the root.
import { readFileSync } from 'node:fs';
import { createHash, createPublicKey, verify, X509Certificate } from 'node:crypto';
const file = readFileSync(process.argv[2]), sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const need = (holds, what) => { if (!holds) { console.error(`refused: ${what}`); process.exit(1); } };
process.on('uncaughtException', (error) => need(false, error.message));
let at = 0;
const entry = (name) => { // the header must be the only one that there is for this name and size
  const size = parseInt(file.toString('latin1', at + 124, at + 135), 8), end = at + 512 + size, next = at + 512 + Math.ceil(size / 512) * 512;
  const header = Buffer.alloc(512), octal = (value, width, where) => header.write(value.toString(8).padStart(width, '0'), where);
  header.write(name); header.write(' '.repeat(8), 148); header.write('0', 156); header.write('ustar\u000000', 257);
  [[0o644, 7, 100], [0, 7, 108], [0, 7, 116], [size, 11, 124], [0, 11, 136], [0, 7, 329], [0, 7, 337]].forEach((field) => octal(...field));
  header.write(`${header.reduce((sum, byte) => sum + byte).toString(8).padStart(6, '0')}\u0000 `, 148);
  need(next <= file.length && header.equals(file.subarray(at, at + 512)) && file.subarray(end, next).every((byte) => byte === 0), `entry ${name} is altered`);
  return file.subarray((at = next, end - size), end);
};
const text = entry('manifest.json'), jws = entry('manifest.jws').toString(), records = entry('records.ndjson.zst');
need(file.length === at + 1024 && file.subarray(at).every((byte) => byte === 0), 'the end is altered');
const manifest = JSON.parse(text), [protectedHeader, payload, signature] = jws.split('.'), header = JSON.parse(Buffer.from(protectedHeader, 'base64url'));
need(header.typ === 'software-license-sync+jws' && ['ES256', 'RS256'].includes(header.alg) && payload === '', 'the signature is not one of a sync document');
const tlv = (der, from) => { const long = der[from + 1] & 0x80 ? der[from + 1] & 0x7f : 0, body = from + 2 + long; return { from, body, to: body + (long ? der.readUIntBE(from + 2, long) : der[from + 1]) }; };
const keyOfRequest = (der) => { const key = tlv(der, tlv(der, tlv(der, tlv(der, tlv(der, 0).body).body).to).to); return createPublicKey({ key: der.subarray(key.from, key.to), format: 'der', type: 'spki' }); };
const key = manifest.request?.scope === 'registration' ? keyOfRequest(Buffer.from(manifest.request.certificate_request, 'base64')) : new X509Certificate(Buffer.from(header.x5c[0], 'base64')).publicKey;
const signed = Buffer.from(`${protectedHeader}.${text.toString('base64url')}`);
need(verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')), 'the signature does not belong to the manifest');
need(sha256(records) === manifest.records.sha256 && records.length === manifest.records.packed, 'the records are not those of the manifest');
console.log(`${manifest.kind} ${manifest.sequence} of account ${manifest.account.name}: verified, digest ${sha256(text)}`);
