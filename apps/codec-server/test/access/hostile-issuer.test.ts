import { generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { closeServer, listenOnLoopback } from '@temporal-kms/testing/network';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { issuer } from '../../src/access/policy.ts';
import { fetchJson, issuerKeys } from '../../src/access/issuer-keys.ts';
import { verifier } from '../../src/access/tokens.ts';
import { HttpError } from '../../src/errors.ts';

type Page = (response: ServerResponse) => void;
const KEYS = '/keys';
const pages = new Map<string, Page>();

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const strange = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const published = ({ publicKey }: { publicKey: KeyObject }, more: object = {}): JsonWebKey => ({
  ...publicKey.export({ format: 'jwk' }),
  kid: 'first',
  ...more,
});

const server = createServer((request, response) => {
  const page = pages.get(request.url ?? '');
  if (page) page(response);
  else response.writeHead(404).end();
});
const port = await listenOnLoopback(server);
afterAll(() => closeServer(server));
const company = issuer.parse({
  type: 'oidc',
  issuer: `http://127.0.0.1:${port}`,
  audience: 'codec',
  tokens: 'access',
  jwks: `http://127.0.0.1:${port}${KEYS}`,
});
beforeEach(() => pages.clear());

const json =
  (value: unknown): Page =>
  (response) =>
    void response.end(JSON.stringify(value));
const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const now = (): number => Math.floor(Date.now() / 1_000);

interface Token {
  readonly header?: Record<string, unknown>;
  readonly key?: KeyObject;
  readonly signature?: Buffer;
}

function tokenOf({ header = {}, key = rsa.privateKey, signature }: Token = {}): string {
  const claims = { iss: company.issuer, aud: 'codec', sub: 'ana', iat: now() - 5, exp: now() + 600 };
  const input = `${encoded({ alg: 'RS256', typ: 'at+jwt', kid: 'first', ...header })}.${encoded(claims)}`;
  const data = Buffer.from(input);
  const own = () => sign(key === ed.privateKey ? null : 'sha256', data, { key, dsaEncoding: 'ieee-p1363' });
  return `${input}.${(signature ?? own()).toString('base64url')}`;
}

/** Returns the caller's name, or the message with which the server refuses the token. */
async function answerTo(token: string): Promise<string> {
  const keys = issuerKeys(company, { fetchJson, now: Date.now, failed: () => undefined });
  try {
    return (await verifier(company, keys, Date.now)(token)).claims.sub;
  } catch (error) {
    // The verifier must refuse a token with status 401, because any other error would be a server error.
    if (!(error instanceof HttpError)) throw error;
    expect(error.status).toBe(401);
    return error.message;
  }
}

describe('a server that fetches an issuer’s keys', () => {
  it.each<[what: string, keys: readonly unknown[]]>([
    ['a private key', [rsa.privateKey.export({ format: 'jwk' })].map((key) => ({ ...key, kid: 'first' }))],
    ['a key of 1024 bits', [published(weak)]],
    ['a key without its numbers', [{ kty: 'RSA', kid: 'first' }]],
    ['a key with empty numbers', [{ kty: 'RSA', kid: 'first', n: '', e: '' }]],
    ['a key with numbers of other types', [{ kty: 'RSA', kid: 'first', n: 1, e: {} }]],
    ['a key whose exponent is 1', [published(rsa, { e: 'AQ' })]],
    ['a key whose exponent is even', [published(rsa, { e: 'Ag' })]],
    ['a key without a type', [published(rsa, { kty: undefined })]],
    ['a key of an unknown type', [{ kty: 'XYZ', kid: 'first' }]],
    ['a symmetric key', [{ kty: 'oct', kid: 'first', k: 'AAAA' }]],
    ['a key for encryption', [published(rsa, { use: 'enc' })]],
    ['a key for other operations', [published(rsa, { key_ops: ['encrypt'] })]],
    ['a key for another algorithm', [published(rsa, { alg: 'PS256' })]],
    ['a key of the other type', [published(ec)]],
    ['a point off the curve', [published(ec, { y: 'AAAA' }), published(rsa, { kid: 'second' })]],
    ['two keys under one id', [published(rsa), published(ec), published(rsa)]],
    ['an id that is not text', [published(rsa, { kid: 1 })]],
    ['a critical extension', [published(rsa, { ext: 'no', key_ops: 7 })]],
  ])('verifies no token, and returns no server error, if the key set contains %s', async (_, keys) => {
    pages.set(KEYS, json({ keys }));
    expect(await answerTo(tokenOf(keys[0] === weak ? { key: weak.privateKey } : {}))).not.toBe('ana');
    expect(await answerTo(tokenOf({ key: weak.privateKey }))).not.toBe('ana');
    expect(await answerTo(tokenOf({ header: { alg: 'ES256' }, key: strange.privateKey }))).not.toBe('ana');
    expect(await answerTo(tokenOf({ header: { alg: 'HS256' } }))).not.toBe('ana');
  });

  it('verifies tokens with the usable keys of a key set that also contains an unusable key', async () => {
    pages.set(KEYS, json({ keys: [{ kty: 'RSA', kid: 'broken' }, { kid: 'typeless' }, published(rsa)] }));
    expect(await answerTo(tokenOf())).toBe('ana');
  });

  it('verifies a token without noticeable delay even if the key set has thousands of keys', async () => {
    const many = Array.from({ length: 5_000 }, (_, n) => published(ec, { kid: `other-${n}` }));
    pages.set(KEYS, json({ keys: [...many, published(rsa)] }));
    expect(await answerTo(tokenOf())).toBe('ana');
    const begun = performance.now();
    await answerTo(tokenOf({ header: { kid: undefined, alg: 'ES256' } }));
    expect(performance.now() - begun).toBeLessThan(5_000);
  });

  it.each<[what: string, page: Page]>([
    [
      'is compressed and exceeds the size limit when decompressed',
      (response) => {
        response.setHeader('Content-Encoding', 'gzip').end(gzipSync(Buffer.alloc(64 * 2 ** 20, ' ')));
      },
    ],
    [
      'redirects to another server',
      (response) => {
        response.writeHead(307, { location: 'http://169.254.169.254/' }).end();
      },
    ],
    ['is not JSON', (response) => void response.end('{"keys":[')],
    ['is nested too deeply', (response) => void response.end('['.repeat(1_000_000))],
    [
      'is cut off',
      (response) => {
        response.writeHead(200, { 'content-length': '1000' }).write('{"keys":[]');
        setTimeout(() => response.destroy(), 50);
      },
    ],
    [
      'never ends',
      (response) => {
        const timer = setInterval(() => response.write(' '), 100);
        response.on('close', () => clearInterval(timer));
      },
    ],
    ['never arrives', () => undefined],
    ['is empty', (response) => void response.end()],
    ['is a list', json([])],
    ['is null', json(null)],
  ])('reports that the keys are unavailable if the key set %s', async (_, page) => {
    pages.set(KEYS, page);
    expect(await answerTo(tokenOf())).toMatch(/keys are unavailable/);
  });
});

describe('a server that verifies tokens', () => {
  beforeEach(
    () =>
      void pages.set(
        KEYS,
        json({ keys: [published(rsa), published(ec, { kid: 'ec' }), published(ed, { kid: 'ed' })] }),
      ),
  );

  it.each(['RS256', 'ES256', 'EdDSA', 'Ed25519'])('accepts a token that is signed with %s', async (alg) => {
    const pair = { RS256: rsa, ES256: ec, EdDSA: ed, Ed25519: ed }[alg]!;
    const kid = { RS256: 'first', ES256: 'ec' }[alg] ?? 'ed';
    expect(await answerTo(tokenOf({ header: { alg, kid }, key: pair.privateKey }))).toBe('ana');
  });

  const noAlgorithms = ['none', 'None', 'NONE', 'nOnE', '', ' ', null, 0, true, ['RS256'], {}, undefined];
  const unknown = ['rs256', 'RS256 ', 'RS1', 'HS256', 'HS512', 'RSA1_5', 'dir', 'ES256K', 'ES384', 'PS512'];
  it.each([...noAlgorithms, ...unknown, '__proto__', 'constructor', 'toString'])(
    'refuses a token with the algorithm %j',
    async (alg) => {
      for (const signature of [undefined, Buffer.alloc(0), Buffer.alloc(256)]) {
        expect(await answerTo(tokenOf({ header: { alg }, ...(signature && { signature }) }))).not.toBe('ana');
      }
    },
  );

  it.each([0, 1, 63, 64, 65, 96, 132, 256])(
    'refuses a token whose signature is %i zero bytes',
    async (length) => {
      const signature = Buffer.alloc(length);
      for (const [alg, kid] of [
        ['RS256', 'first'],
        ['PS256', 'first'],
        ['ES256', 'ec'],
        ['EdDSA', 'ed'],
        ['Ed25519', 'ed'],
      ]) {
        expect(await answerTo(tokenOf({ header: { alg, kid }, signature }))).not.toBe('ana');
      }
    },
  );

  it('refuses a token whose ECDSA signature consists of the values 0, 1 or the group order', async () => {
    const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
    const one = Buffer.alloc(32, 0).fill(1, 31);
    const none = Buffer.alloc(32);
    const header = { alg: 'ES256', kid: 'ec' };
    for (const r of [none, one, order]) {
      for (const s of [none, one, order]) {
        expect(await answerTo(tokenOf({ header, signature: Buffer.concat([r, s]) }))).not.toBe('ana');
      }
    }
  });

  it.each<[what: string, header: Record<string, unknown>]>([
    ['a path as its key id', { kid: '../../../../etc/passwd' }],
    ['a query as its key id', { kid: "' or 1=1 --" }],
    ['an object method as its key id', { kid: '__proto__' }],
    ['a key id with NUL', { kid: 'first\u0000' }],
    ['a number as its key id', { kid: 1 }],
    ['a list as its key id', { kid: ['first'] }],
    ['an object as its key id', { kid: { first: 1 } }],
    ['a zip', { zip: 'DEF', crit: ['zip'] }],
    ['a critical list that contains a number', { crit: [1] }],
    ['a critical text', { crit: 'exp' }],
  ])('refuses a token with %s', async (_, header) => {
    expect(await answerTo(tokenOf({ header }))).not.toBe('ana');
  });

  it.each<[what: string, header: Record<string, unknown>]>([
    ['jku', { jku: 'http://169.254.169.254/keys' }],
    ['x5u', { x5u: 'http://169.254.169.254/cert' }],
    ['jwk', { jwk: published(ec) }],
    ['x5c', { x5c: ['AAAA'] }],
    ['x5t', { x5t: 'AAAA', 'x5t#S256': 'AAAA' }],
  ])("verifies a token only with its issuer's key, whatever the header %s contains", async (_, header) => {
    expect(await answerTo(tokenOf({ header }))).toBe('ana');
    expect(await answerTo(tokenOf({ header: { ...header, alg: 'ES256' }, key: ec.privateKey }))).not.toBe(
      'ana',
    );
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const own = 'jwk' in header ? { jwk: published(stranger) } : header;
    for (const kid of ['first', undefined, 'unknown']) {
      expect(await answerTo(tokenOf({ header: { ...own, kid }, key: stranger.privateKey }))).not.toBe('ana');
    }
  });

  it.each([
    ['padding', (token: string) => `${token}=`],
    ['white space', (token: string) => token.replace('.', ' .')],
    ['a line break', (token: string) => `${token}\n`],
    ['a fourth part', (token: string) => `${token}.AAAA`],
    ['five parts', (token: string) => `${token}.AAAA.AAAA`],
    ['two parts', (token: string) => token.slice(0, token.lastIndexOf('.'))],
    ['an empty signature', (token: string) => token.slice(0, token.lastIndexOf('.') + 1)],
    ['an empty header', (token: string) => token.slice(token.indexOf('.'))],
    ['no text', () => ''],
    ['dots alone', () => '..'],
    [
      'bytes that are not UTF-8',
      (token: string) =>
        `${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}${token.slice(token.indexOf('.'))}`,
    ],
    ['JSON that is not encoded as base64url', () => '{"alg":"none"}.{"sub":"ana"}.'],
  ])('refuses a token with %s', async (_, change) => {
    expect(await answerTo(change(tokenOf()))).not.toBe('ana');
  });
});
