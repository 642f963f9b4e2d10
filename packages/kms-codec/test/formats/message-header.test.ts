import { describe, expect, it } from 'vitest';
import { GCM_TAG_BYTES, NONCE_BYTES } from '../../src/crypto/aead.ts';
import { boundWorkflowId, namespaceTag, scheduledWorkflowId, workflowTag } from '../../src/crypto/tags.ts';
import { buildHeader, parseHeader, saltStart } from '../../src/formats/envelope-v2-header.ts';
import { headerTags, messageHeader } from '../../src/index.ts';
import { MAX_WRAPPED_KEY_BYTES, wrappedKeyHash } from '../../src/crypto/wrapped-key.ts';
import { json, serialize } from '../support/codec.ts';

const fill = (length: number, value: number) => new Uint8Array(length).fill(value);
const header = {
  compressed: false,
  keyId: fill(8, 1),
  keyVersion: 7,
  namespaceTag: namespaceTag('payments'),
  workflowTag: undefined,
  salt: fill(16, 5),
  commitment: fill(16, 6),
  wrappedKey: fill(120, 3),
};
const tagged = { ...header, workflowTag: fill(16, 4) };

describe('the envelope-kms-v2 header', () => {
  it('has its fields at the specified offsets', () => {
    const bytes = buildHeader({ ...tagged, compressed: true, namespaceTag: fill(16, 2) });
    expect(Buffer.from(bytes).toString('hex')).toBe(
      `0203${'01'.repeat(8)}00000007${'02'.repeat(16)}${'04'.repeat(16)}${'05'.repeat(16)}${'06'.repeat(16)}0078${'03'.repeat(120)}`,
    );
  });

  it('is malformed if it is truncated at any byte', () => {
    const bytes = buildHeader(tagged);
    for (let length = 0; length < bytes.length; length += 1) {
      const read = () => parseHeader(bytes.subarray(0, length));
      expect(read).toThrow(expect.objectContaining({ code: 'malformed' }));
    }
  });

  it('contains a wrapped key of 1 to 1024 bytes', () => {
    for (const length of [1, MAX_WRAPPED_KEY_BYTES]) {
      const wrappedKey = fill(length, 3);
      expect(parseHeader(buildHeader({ ...header, wrappedKey })).header.wrappedKey).toEqual(wrappedKey);
    }
    for (const length of [0, MAX_WRAPPED_KEY_BYTES + 1]) {
      expect(() => buildHeader({ ...header, wrappedKey: fill(length, 3) })).toThrow(
        expect.objectContaining({ code: 'too_large' }),
      );
    }
  });

  it('is cached by the first three bytes of its salt, and not at all if the message is bound to a workflow', () => {
    const salt = Uint8Array.from({ length: 16 }, (_, n) => n + 1);
    expect(saltStart(buildHeader({ ...header, salt }))).toBe(0x010203);
    expect(saltStart(buildHeader({ ...tagged, salt }))).toBeUndefined();
  });

  it('leaves room for a summary of 100 bytes within Temporal’s limit of 400 bytes, even with a workflow tag and a wrapped key of 125 bytes', () => {
    const start = buildHeader({ ...tagged, wrappedKey: fill(125, 3) });
    const plaintext = serialize(json('s'.repeat(100)));
    const data = Buffer.alloc(start.length + NONCE_BYTES + plaintext.length + GCM_TAG_BYTES);
    const message = { metadata: { encoding: Buffer.from('binary/envelope-kms-v2') }, data };
    expect(serialize(message)).toHaveLength(400);
  });
});

describe('messageHeader', () => {
  it('returns the header’s fields and length', () => {
    const bytes = buildHeader(header);
    expect(messageHeader(Buffer.concat([bytes, fill(40, 9)]))).toEqual({
      compressed: false,
      keyId: '01'.repeat(8),
      keyVersion: 7,
      namespaceTag: headerTags.namespace('payments'),
      wrappedKeyHash: wrappedKeyHash(header.wrappedKey),
      bytes: bytes.length,
    });
  });

  it('returns a bound message’s workflow tag, which headerTags also returns for every workflow that the same schedule starts', () => {
    const bound = { ...header, compressed: true, workflowTag: workflowTag('payments', 'order-1') };
    const tag = headerTags.workflow('payments', 'order-1');
    expect(messageHeader(buildHeader(bound))).toMatchObject({ compressed: true, workflowTag: tag });
    expect(headerTags.workflows('payments', 'order-1-2030-01-31T12:00:00Z')).toContain(tag);
  });

  it.each<[string, Uint8Array]>([
    ['malformed', buildHeader(header).subarray(0, 60)],
    ['malformed', new Uint8Array()],
    ['unsupported_version', fill(200, 3)],
  ])('throws %s for an unreadable header', (code, data) => {
    expect(() => messageHeader(data)).toThrow(expect.objectContaining({ code }));
  });
});

// [W-1] [W-4]
describe('a workflow id to which a message is bound', () => {
  it('does not contain the timestamp that a schedule appends', () => {
    expect(scheduledWorkflowId('nightly-2026-11-24T02:00:00Z')).toBe('nightly');
  });

  it.each([
    'nightly-2026-11-24T02:00:00Z-report-for-the-managers',
    'nightly-2026-11-24T02:00:00',
    '-2026-11-24T02:00:00Z',
  ])('is unchanged without a timestamp at its end: %s', (workflowId) => {
    expect(scheduledWorkflowId(workflowId)).toBe(workflowId);
  });

  it('is undefined if there is no context, or if the context names no workflow', () => {
    expect(boundWorkflowId(undefined)).toBeUndefined();
    expect(boundWorkflowId({ workflowId: '' })).toBeUndefined();
  });
});
