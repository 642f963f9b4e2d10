import { payloadToJson } from '@temporal-kms/histories/payloads';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildPayloads, parseAnyPayloads, parsePayloads } from '../../src/json/payload-json.ts';
import { scanPayloads as scanInSteps } from '../../src/json/payload-scanner.ts';
import { atOnce } from '../../src/turns/slices.ts';

const scanPayloads = (body: Buffer, max: number) => atOnce(scanInSteps(body, max));

/** Returns the payloads according to `JSON.parse`, or undefined if the body is rejected. */
function parsed(body: Buffer): unknown {
  try {
    return parseAnyPayloads(new TextDecoder().decode(body), 1_000_000);
  } catch {
    return undefined;
  }
}

const bytes = fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value));
const base64 = fc.oneof(
  bytes.map((value) => value.toString('base64')),
  bytes.map((value) => value.toString('base64url')),
  fc.stringMatching(/^[A-Za-z0-9+/_=\n" -]{0,9}$/),
);
const key = fc.oneof(
  fc.constantFrom('encoding', 'encryption-key-id', '__proto__', '7', '', 'é'),
  fc.string(),
);
const payload = fc.record(
  { metadata: fc.dictionary(key, base64), data: base64, externalPayloads: fc.constant([{ sizeBytes: '5' }]) },
  { requiredKeys: [] },
);
const body = fc
  .record({ payloads: fc.array(payload, { maxLength: 3 }) })
  .chain((value) =>
    fc.constantFrom(0, 1, '\t', ' \r\n').map((indent) => JSON.stringify(value, null, indent)),
  );

/** Payloads as clients write them, except that the base64 may be invalid. */
const usual = fc
  .array(fc.record({ metadata: fc.constant({ encoding: 'anNvbi9wbGFpbg' }), data: base64 }), {
    minLength: 1,
    maxLength: 2,
  })
  .map((payloads) => JSON.stringify({ payloads }));

/** A body in which some characters of JSON or base64 are removed, inserted or replaced. */
const damaged = fc
  .tuple(
    fc.oneof(body, usual),
    fc.array(fc.tuple(fc.nat(), fc.constantFrom(0, 1), fc.stringMatching(/^["{}[\],:\\=A \n\0é]{0,2}$/)), {
      maxLength: 3,
    }),
  )
  .map(([text, edits]) =>
    edits.reduce((now, [at, removed, put]) => {
      const start = at % (now.length + 1);
      return now.slice(0, start) + put + now.slice(start + removed);
    }, text),
  );

describe('the request body scanner', () => {
  test('returns the same payloads as JSON.parse, and rejects every body that JSON.parse rejects', () => {
    let scanned = 0;
    fc.assert(
      fc.property(fc.oneof(body, usual, damaged), (text) => {
        const raw = Buffer.from(text);
        const payloads = scanPayloads(raw, 1_000_000);
        if (payloads === undefined) return;
        scanned += 1;
        expect(payloads).toEqual(parsed(raw));
      }),
      { numRuns: 5_000 },
    );
    // With fewer scanned bodies, the test would prove nothing.
    expect(scanned).toBeGreaterThan(500);
  });

  test('reads invalid UTF-8 like JSON.parse', () => {
    fc.assert(
      fc.property(body, fc.nat(), fc.integer({ min: 0x80, max: 0xff }), (text, at, byte) => {
        const raw = Buffer.from(text);
        raw[at % raw.length] = byte;
        const payloads = scanPayloads(raw, 1_000_000);
        if (payloads !== undefined) expect(payloads).toEqual(parsed(raw));
      }),
    );
  });

  test.each([
    ['the Go SDK and the Web UI', JSON.stringify],
    ['Python', (value: unknown) => JSON.stringify(value, null, 2)],
  ])('reads payloads of any length in the form that %s send', (_, stringify) => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 100_000 }), { minLength: 1, maxLength: 3 }), (lengths) => {
        const payloads = lengths.map((length) => ({
          metadata: { encoding: Buffer.from('json/plain'), 'encryption-key-id': Buffer.from('k') },
          data: Buffer.alloc(length, 'some text, '),
        }));
        const json = payloads.map(({ metadata, data }) => ({
          metadata: { encoding: metadata.encoding.toString('base64'), 'encryption-key-id': 'aw==' },
          data: data.toString('base64'),
        }));
        expect(scanPayloads(Buffer.from(stringify({ payloads: json })), 1_000_000)).toEqual(payloads);
      }),
      { numRuns: 20 },
    );
  });
});

test('buildPayloads writes the same JSON as JSON.stringify', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record(
          {
            metadata: fc.dictionary(key, bytes),
            data: fc.oneof(
              bytes,
              fc.nat({ max: 100_000 }).map((length) => Buffer.alloc(length, 'some text, ')),
            ),
          },
          { requiredKeys: [] },
        ),
        { maxLength: 3 },
      ),
      (payloads) => {
        expect(buildPayloads(payloads).toString()).toBe(
          JSON.stringify({ payloads: payloads.map(payloadToJson) }),
        );
      },
    ),
  );
});

/** Long strings, which the parser cuts out of a body. The strings may contain escapes and mistakes. */
const long = fc
  .tuple(
    fc.integer({ min: 1_000, max: 1_100 }),
    fc.array(
      fc.tuple(
        fc.nat(),
        fc.constantFrom('\\u003d', '=', '\\/', '\\"', '\\\\', '\\', '"', '"x":', ' ', 'é', '_'),
      ),
      { maxLength: 2 },
    ),
    fc.constantFrom('', '=', '\\u003d\\u003d'),
  )
  .map(
    ([length, edits, end]) =>
      edits.reduce(
        (text, [at, put]) => {
          const place = at % (text.length + 1);
          return text.slice(0, place) + put + text.slice(place);
        },
        Buffer.alloc(length, 'payload').toString('base64').replace(/=+$/, ''),
      ) + end,
  );
const longBody = fc
  .array(fc.tuple(long, long, fc.constantFrom('"data"', '"unknown"', '"metadata":{"key"')), { maxLength: 3 })
  .map((payloads) =>
    payloads.map(
      ([text, other, name]) =>
        `{"unknown":"${other}",${name} : "${text}"${name.includes('{') ? '}' : ''},"data":"${other}"}`,
    ),
  )
  .map((payloads) => `{"payloads":[${payloads.join()}]}`);

test('has the same result as JSON.parse after cutting out long strings', () => {
  fc.assert(
    fc.property(longBody, (text) => {
      const expected = parsed(Buffer.from(text));
      let payloads: unknown;
      try {
        payloads = parsePayloads(Buffer.from(text), 1_000_000);
      } catch {
        payloads = undefined;
      }
      expect(payloads).toEqual(expected);
    }),
  );
});
