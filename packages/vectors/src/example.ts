import { hex, serialized, toPayload } from './bytes.ts';
import { branchKeyAad, expanded, keyId, namespaceTag, workflowTag } from './message.ts';
import type { Vector } from './schema.ts';

const WIDTH = 80;

const bytes = (text: string) => Buffer.from(text, 'hex');

/**
 * Returns the worked example for the specification, which shows the named values of one of the given vectors.
 */
export function workedExample(vectors: readonly Vector[]): string {
  const vector = vectors.find(({ name }) => name === 'decrypts the worked example');
  const [cryptoKey] = vector?.asked ?? [];
  const { header: { salt = '' } = {}, branchKey } = vector?.made ?? {};
  const { namespace, workflowId } = vector?.context ?? {};
  if (!vector || !cryptoKey || !branchKey || !namespace || !workflowId || !('payload' in vector.expect))
    throw new Error('The vector of the worked example lacks a value');
  const key = { plaintext: bytes(branchKey.plaintext), wrapped: bytes(branchKey.wrapped) };
  const tag = namespaceTag(namespace);
  const { info, prk, dataKey, commitment } = expanded(key, tag, bytes(salt));
  const plaintext = serialized(toPayload(vector.expect.payload));
  const data = bytes(vector.stored.data);
  const nonceAt = data.length - plaintext.length - 28;
  return [
    line('crypto key', cryptoKey),
    line('key id', hex(keyId(cryptoKey))),
    line('namespace', namespace),
    line('namespace tag', hex(tag)),
    line('workflow id', workflowId),
    line('workflow tag', hex(workflowTag(namespace, workflowId))),
    line('wrapped bytes', branchKey.plaintext),
    line('their AAD', hex(branchKeyAad(tag))),
    line('Cloud KMS returns', branchKey.wrapped),
    line('HKDF salt', salt),
    line('HKDF key', hex(key.plaintext.subarray(7))),
    line('HKDF info', hex(info)),
    line('HKDF-Extract', hex(prk)),
    line('data key', hex(dataKey)),
    line('commitment', hex(commitment)),
    line('header', hex(data.subarray(0, nonceAt))),
    line('plaintext', hex(plaintext)),
    line('nonce', hex(data.subarray(nonceAt, nonceAt + 12))),
    line('ciphertext', hex(data.subarray(nonceAt + 12, -16))),
    line('tag', hex(data.subarray(-16))),
  ].join('');
}

function line(name: string, value: string): string {
  const pieces = value.match(new RegExp(`.{1,${WIDTH}}`, 'g')) ?? [];
  return pieces.map((piece, n) => `${(n === 0 ? name : '').padEnd(19)}${piece}\n`).join('');
}

const BLOCK = /(?<=^### Worked example\n[^]*?```text\n)[^]*?(?=```)/m;

/** Returns the worked example that a specification contains. */
export const exampleIn = (page: string): string | undefined => BLOCK.exec(page)?.[0];

/** Replaces the specification's worked example, and returns the new specification. */
export const withExample = (page: string, example: string): string => page.replace(BLOCK, example);
