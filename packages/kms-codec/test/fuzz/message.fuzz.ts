import type { Payload } from '../../src/formats/payload.ts';
import { buildCorpus, type Strictness } from './corpus.ts';
import { check, checkFresh, newReader } from './run.ts';

/*
 * The input is a stored payload that anyone with access to Temporal's store could have written. `check` lists
 * the properties. Codecs with full and with empty caches give the same outcome.
 */

export const reaches = [
  'decrypted',
  'passed',
  'format_not_allowed',
  'integrity_failed',
  'key_not_allowed',
  'malformed',
  'namespace_mismatch',
  'unsupported_version',
  'workflow_mismatch',
];

const corpus = buildCorpus();
const readers = { strict: newReader(corpus, 'strict'), lenient: newReader(corpus, 'lenient') };

export async function fuzz(data: Uint8Array): Promise<string> {
  const { strictness, stored } = toMessage(data);
  const given = { stored, original: undefined, byInsider: false };
  const outcome = await check(readers[strictness], given);
  // Only some inputs also go to a new codec, because creating a codec takes longer than all other steps.
  if (data.length % 8 === 0) await checkFresh(outcome, given, corpus, strictness);
  return outcome;
}

const names = [
  'encoding',
  'kms-key',
  'encrypted-dek',
  'encryption-key-id',
  'encryption-dek',
  'messageType',
  'compression/algorithm',
  '__proto__',
];

/**
 * Converts arbitrary bytes into a message. The bytes contain, in this order: whether the reader is lenient, the
 * number of metadata entries, each entry (the index of its name, the length of its value, and the value), and
 * the payload's data.
 */
export function toMessage(bytes: Uint8Array): { readonly strictness: Strictness; readonly stored: Payload } {
  let at = 0;
  const next = (): number => bytes[at++] ?? 0;
  const strictness = next() % 2 === 0 ? 'strict' : 'lenient';
  const entries = Array.from({ length: next() % 8 }, () => {
    const name = names[next() % names.length] ?? '';
    const length = next();
    at += length;
    return [name, bytes.slice(at - length, at)] as const;
  });
  return { strictness, stored: { metadata: Object.fromEntries(entries), data: bytes.slice(at) } };
}

function fromMessage(strictness: Strictness, { metadata, data }: Payload): Uint8Array {
  const entries = Object.entries(metadata ?? {}).map(([name, value]) =>
    Buffer.concat([Buffer.of(names.indexOf(name), value.length), value]),
  );
  const start = Buffer.of(strictness === 'strict' ? 0 : 1, entries.length);
  return Buffer.concat([start, ...entries, data ?? new Uint8Array()]);
}

export const seeds = (): Uint8Array[] =>
  corpus.messages.flatMap(({ stored }) => [fromMessage('strict', stored), fromMessage('lenient', stored)]);
