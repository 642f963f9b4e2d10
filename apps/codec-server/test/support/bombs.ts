import { randomBytes } from 'node:crypto';
import { createKmsCodec, type KmsCodec, KeyRules } from '@temporal-kms/kms-codec';
import { keys, type Kms, type Payload } from './stack.ts';

const MiB = 2 ** 20;
const encoding = Buffer.from('json/plain').toString('base64');

/** Returns `count` JSON members, each with a different short key. */
const members = (count: number, value = '""'): string => {
  const parts: string[] = [];
  for (let n = 0; n < count; n += 1) parts.push(`"k${n.toString(36)}":${value}`);
  return parts.join(',');
};
const repeated = (count: number, item: string): string => `${item},`.repeat(count - 1) + item;
const payload = (fields: string): string => `{"payloads":[{${fields}}]}`;

/** Returns a codec that compresses payloads and uses the server's Cloud KMS. */
export const compressingCodec = (kms: Kms): KmsCodec =>
  createKmsCodec({
    rules: new KeyRules({ payments: { encrypt: keys.payments } }),
    emulatorHost: kms.emulator.address,
    format: undefined,
    compression: 'zstd',
    bindWorkflow: false,
  });

/** Returns a payload of zeros, which takes a few hundred bytes when compressed and encrypted. */
export const zeros = (bytes: number): Payload => ({
  metadata: { encoding: Buffer.from('binary/plain') },
  data: Buffer.alloc(bytes),
});

/** Size in bytes of the largest payload that may be compressed. */
export const MAX_ZEROS = 16 * MiB - 64;

/**
 * Returns bodies for `/encode` and `/decode` that take disproportionate work to parse, by a description of
 * their content.
 */
export function jsonBombs(): Record<string, string> {
  return {
    '300,000 metadata keys': payload(`"metadata":{${members(300_000)}}`),
    '300,000 metadata keys, one of them escaped': payload(
      `"metadata":{"\\u0061":"",${members(300_000)}},"data":""`,
    ),
    '300,000 metadata keys beyond Latin-1': payload(`"metadata":{"\u4e00":"",${members(300_000)}}`),
    '500,000 external payloads': payload(`"externalPayloads":[${repeated(500_000, '{}')}]`),
    '500,000 unknown fields': payload(members(500_000, '0')),
    '500,000 unknown fields next to payloads': `{${members(500_000, '0')},"payloads":[]}`,
    '10,000 payloads of 60 metadata keys': `{"payloads":[${repeated(10_000, `{"metadata":{${members(60)}}}`)}]}`,
    '3,000,000 empty payloads': `{"payloads":[${repeated(3_000_000, '{}')}]}`,
    'a metadata key of 15 MiB': payload(`"metadata":{"${'k'.repeat(15 * MiB)}":""}`),
    'lists in lists': `{"payloads":[${repeated(400_000, '[[[[]]]]')}]}`,
    'a string that is not base64': payload(`"data":"${'\\u4e00'.repeat(2_500_000)}"`),
  };
}

/**
 * Returns a valid body of the maximum size, which the memory budget must accept if there is no other request.
 */
export function largest(maxBody: number): string {
  const data = randomBytes(Math.floor(((maxBody - 200) * 3) / 4 / 3) * 3).toString('base64');
  return `{"payloads":[{"metadata":{"encoding":"${encoding}"},"data":"${data}"}]}`;
}
