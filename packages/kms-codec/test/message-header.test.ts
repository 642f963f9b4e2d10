import { describe, expect, it } from 'vitest';
import { buildHeader } from '../src/formats/envelope-v2-header.ts';
import { namespaceTag, workflowTag } from '../src/crypto/tags.ts';
import { headerTags, messageHeader } from '../src/index.ts';
import { wrappedKeyHash } from '../src/keys/wrapped-key.ts';

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

describe('messageHeader', () => {
  it('returns the fields of the header, and its length', () => {
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

  it('returns a bound message’s workflow tag, which every run of its schedule accepts', () => {
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
