import { payloadRefOf } from '@temporal-kms/codec-api';
import { expect, it } from 'vitest';
import { unreadablePayload, unreadableReason } from '../../src/payloads/index.ts';

const KEY = 'projects/acme/locations/us-east1/keyRings/temporal-keys/cryptoKeys/payments';
const marked = (entries: Record<string, string>) => ({
  metadata: Object.fromEntries(
    Object.entries({ encoding: 'binary/unreadable', ...entries }).map(([name, text]) => [
      name,
      Buffer.from(text),
    ]),
  ),
});

it('returns the reason and the key from a decoded export', () => {
  const { metadata } = unreadablePayload(payloadRefOf(5, 0), {
    reason: 'key_disabled',
    key: { name: KEY, version: 7 },
  });
  const payload = {
    metadata: Object.fromEntries(
      Object.entries(metadata ?? {}).map(([name, text]) => [name, Buffer.from(text, 'base64')]),
    ),
  };
  expect(unreadableReason(payload)).toEqual({ reason: 'key_disabled', key: KEY, keyVersion: 7 });
});

it.each([
  ['is not a name', 'a text of the author'],
  ['contains more than a name', `${KEY}/cryptoKeyVersions/1`],
  ['is too long', `projects/${'a'.repeat(1_000)}/locations/l/keyRings/r/cryptoKeys/k`],
])('leaves out a key that %s', (_, key) => {
  expect(unreadableReason(marked({ reason: 'key_disabled', key }))).toEqual({ reason: 'key_disabled' });
});

it.each(['1.5', '-1', '0', '1e300', 'Infinity', '0x10', ' 7', '99999999999999999999'])(
  'leaves out the key version %s',
  (version) => {
    const payload = marked({ reason: 'key_disabled', key: KEY, 'key-version': version });
    expect(unreadableReason(payload)).toEqual({ reason: 'key_disabled', key: KEY });
  },
);

it('treats an unknown reason as malformed', () => {
  expect(unreadableReason(marked({ reason: 'a text of the author' }))).toEqual({ reason: 'malformed' });
});
