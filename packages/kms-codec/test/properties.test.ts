import { constants, zstdCompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { CallBudget } from '../src/call-options.ts';
import { KmsCodecError, type WritableFormat } from '../src/index.ts';
import { compress, decompressZstd, parseZstdFrame } from '../src/compression/zstd.ts';
import { boundWorkflowId, isOfWorkflow, workflowTag } from '../src/crypto/tags.ts';
import { wrappedKey } from '../src/crypto/wrapped-key.ts';
import { buildHeader, type Header, parseHeader } from '../src/formats/envelope-v2-header.ts';
import type { Payload } from '../src/formats/payload.ts';
import { codecWith, cryptoKey, inNamespace } from './support/codec.ts';
import { fromPayload } from './support/vectors.ts';
import { withExternal } from '@temporal-kms/vectors/bytes';

/* Tests properties that must hold for every input. SLOW=1 tests more inputs. */

const slow = process.env['SLOW'] !== undefined;
const numRuns = slow ? 5_000 : 300;
vi.setConfig({ testTimeout: slow ? 300_000 : 30_000 });

const decompressed = async (frame: Uint8Array, limit: number): Promise<Uint8Array> =>
  decompressZstd(frame, limit, new CallBudget(limit));

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

const payload: fc.Arbitrary<Payload> = fc
  .record({
    metadata: fc.dictionary(fc.string({ unit: 'binary', maxLength: 12 }), fc.uint8Array({ maxLength: 20 }), {
      maxKeys: 4,
    }),
    data: fc.oneof(
      fc.uint8Array({ maxLength: 2_000 }),
      // Repeats the content, so that compression saves space.
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 8 }), fc.nat(400))
        .map(([unit, times]) => new Uint8Array(Buffer.concat(Array(times).fill(unit)))),
    ),
    external: fc.option(fc.nat(2 ** 31)),
  })
  .map(({ external, ...base }) => (external === null ? base : withExternal(base, external)));

const header: fc.Arbitrary<Header> = fc.record({
  compressed: fc.boolean(),
  keyId: bytes(8),
  keyVersion: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  namespaceTag: bytes(16),
  workflowTag: fc.option(bytes(16), { nil: undefined }),
  salt: bytes(16),
  commitment: bytes(16),
  wrappedKey: fc.uint8Array({ minLength: 1, maxLength: 1024 }),
});

interface Written {
  readonly title: string;
  readonly format?: WritableFormat;
  readonly compression?: 'zstd';
  readonly bindWorkflow?: boolean;
}

describe('decode(encode(x)) returns x for', () => {
  const options: Written[] = [
    { title: 'envelope-v2' },
    { title: 'envelope-v2, compressed', compression: 'zstd' },
    { title: 'envelope-v2, bound to its workflow', bindWorkflow: true },
    { title: 'envelope', format: 'envelope' },
    { title: 'direct', format: 'direct' },
  ];
  it.each(options)('$title', async ({ format, compression, bindWorkflow }) => {
    const rule = {
      encrypt: cryptoKey('k'),
      reads: ['envelope-v2', 'envelope', 'direct'] as const,
      unsafe: ['direct-with-envelope'] as const,
      plaintext: 'refuse' as const,
    };
    const { codec } = codecWith({ pay: rule }, { format, compression, bindWorkflow });
    const context = inNamespace('pay', 'order-1');
    await fc.assert(
      fc.asyncProperty(fc.array(payload, { maxLength: 3 }), async (payloads) => {
        const encrypted = await codec.encode(payloads, context);
        const decoded = await codec.decode(encrypted, context);
        expect(decoded.map(fromPayload)).toEqual(payloads.map(fromPayload));
      }),
      { numRuns },
    );
  });
});

describe('parseHeader and buildHeader are inverse functions', () => {
  it('for any header, followed by any bytes', () => {
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 40 }), (wanted, rest) => {
        const built = buildHeader(wanted);
        const parsed = parseHeader(Buffer.concat([built, rest]));
        expect(parsed.length).toBe(built.length);
        expect(plain(parsed.header)).toEqual(plain(wanted));
      }),
      { numRuns },
    );
  });

  it('for any bytes that parse as a header', () => {
    const nearly = fc
      .tuple(header, fc.array(fc.tuple(fc.nat(112), fc.nat(255)), { maxLength: 3 }))
      .map(([one, changes]) => {
        const built = buildHeader(one);
        for (const [at, value] of changes) if (at < built.length) built[at] = value;
        return built;
      });
    fc.assert(
      fc.property(fc.oneof(nearly, fc.uint8Array({ maxLength: 200 })), (given) => {
        const parsed = unlessRejected(() => parseHeader(given), ['malformed', 'unsupported_version']);
        if (parsed) expect([...buildHeader(parsed.header)]).toEqual([...given.subarray(0, parsed.length)]);
      }),
      { numRuns },
    );
  });
});

describe('a zstd frame', () => {
  const content = fc.oneof(
    fc.uint8Array({ maxLength: 5_000 }),
    fc.tuple(fc.nat(255), fc.nat(350_000)).map(([value, length]) => new Uint8Array(length).fill(value)),
  );
  const settings = fc.record({ level: fc.integer({ min: -5, max: 12 }), checksum: fc.boolean() });

  it('has the size that parseZstdFrame returns, whatever bytes follow the frame', async () => {
    const after = fc.uint8Array({ maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(content, settings, after, async (given, { level, checksum }, rest) => {
        const params = {
          [constants.ZSTD_c_compressionLevel]: level,
          [constants.ZSTD_c_checksumFlag]: checksum ? 1 : 0,
        };
        const frame = zstdCompressSync(given, { params });
        const measured = parseZstdFrame(Buffer.concat([frame, rest]), given.length);
        expect(measured).toEqual({ contentSize: given.length, length: frame.length });
        expect(Buffer.compare(await decompressed(frame, given.length), given)).toBe(0);
      }),
      { numRuns },
    );
  });

  it('either decompresses to its declared size or is rejected, however it was modified', async () => {
    const changes = fc.array(fc.tuple(fc.nat(5_000), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(content, changes, async (given, flips) => {
        const frame = compress([given], Number.POSITIVE_INFINITY);
        if (!frame) return;
        for (const [at, flip] of flips) frame[at % frame.length]! ^= flip;
        const limit = 400_000;
        const decoded = await decompressed(frame, limit).catch((error: unknown) =>
          unlessRejected(() => {
            throw error;
          }, ['malformed', 'too_large']),
        );
        if (decoded) expect(decoded.length).toBe(parseZstdFrame(frame, limit).contentSize);
      }),
      { numRuns },
    );
  });
});

const writes = (type: 'workflow' | 'activity', workflowId: string) =>
  workflowTag('pay', boundWorkflowId({ type, workflowId })!);

describe('a workflow tag', () => {
  const id = fc.string({ unit: 'binary', maxLength: 30 });
  const due = fc
    .date({ min: new Date('0000-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
    .map((date) => `-${date.toISOString().slice(0, 19)}Z`);

  it('of the id in a schedule’s action is accepted in every workflow that the schedule starts', () => {
    fc.assert(
      fc.property(id, due, (scheduled, suffix) => {
        fc.pre(scheduled !== '');
        expect(isOfWorkflow(writes('workflow', scheduled), 'pay', scheduled + suffix)).toBe(true);
      }),
      { numRuns },
    );
  });

  it('from a writer is accepted in the same workflow', () => {
    fc.assert(
      fc.property(id, fc.option(due), fc.constantFrom('workflow', 'activity'), (start, suffix, type) => {
        const workflowId = start + (suffix ?? '');
        fc.pre(workflowId !== '');
        expect(isOfWorkflow(writes(type, workflowId), 'pay', workflowId)).toBe(true);
      }),
      { numRuns },
    );
  });

  it('of an activity is accepted in only one of a schedule’s workflows', () => {
    fc.assert(
      fc.property(id, due, due, (scheduled, one, other) => {
        fc.pre(one !== other);
        const tag = writes('activity', scheduled + one);
        expect(isOfWorkflow(tag, 'pay', scheduled + other)).toBe(false);
      }),
      { numRuns },
    );
  });

  it('differs between workflows and between namespaces', () => {
    fc.assert(
      fc.property(id, id, (one, other) => {
        fc.pre(one !== other);
        expect(workflowTag('pay', one)).not.toEqual(workflowTag('pay', other));
        expect(workflowTag('pay', one)).not.toEqual(workflowTag('ship', one));
      }),
      { numRuns },
    );
  });
});

it('no two wrapped keys have the same cache key', () => {
  const part = fc.uint8Array({ maxLength: 4 });
  const wrapped = fc.record({
    cryptoKey: fc.string({ maxLength: 3 }),
    aad: part,
    wrapped: part,
    isBranchKey: fc.constant(true),
  });
  fc.assert(
    fc.property(wrapped, wrapped, (one, other) => {
      const same = JSON.stringify(plain(one)) === JSON.stringify(plain(other));
      expect(wrappedKey(one).id === wrappedKey(other).id).toBe(same);
    }),
    { numRuns },
  );
});

const plain = (fields: object) =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, value instanceof Uint8Array ? [...value] : value]),
  );

function unlessRejected<T>(act: () => T, codes: readonly string[]): T | undefined {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof KmsCodecError)) throw error;
    expect(codes).toContain(error.code);
    return undefined;
  }
}
