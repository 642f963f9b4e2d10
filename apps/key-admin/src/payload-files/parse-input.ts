import { type HistoryFile, HistoryFileError, readHistoryFile } from '@temporal-kms/histories/files';
import { payloadFromJson } from '@temporal-kms/histories/proto';
import type { Payload } from '@temporal-kms/histories/payloads';
import { messageHeader } from '@temporal-kms/kms-codec';
import proto from '@temporalio/proto';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import { CliError } from '../cli/cli-error.ts';
import type { NamedBytes } from './read-bytes.ts';

export const inputFormats = ['auto', 'history', 'json', 'base64', 'protobuf'] as const;
export type InputFormat = (typeof inputFormats)[number];

/** The content of a file: histories, or payloads without the events around them. */
export type Input =
  | { readonly kind: 'history'; readonly file: HistoryFile }
  | { readonly kind: 'payloads'; readonly payloads: readonly [Payload, ...Payload[]] };

/**
 * Maximum size in bytes of an input without a history. Temporal limits payloads to 2 MiB, and gRPC messages
 * to 4 MiB.
 */
const MAX_PAYLOAD_BYTES = 16 * 2 ** 20;

/**
 * Recognizes what the bytes contain:
 *
 * - a history in each form that `readHistoryFile` reads
 * - JSON of a payload, of a list of payloads, or of an object with a `payloads` list
 * - protobuf of `temporal.api.common.v1.Payload` or `Payloads`
 * - base64 of such JSON or protobuf, or of the `data` of an `envelope-v2` message
 *
 * @throws CliError `data`, whose message contains no part of the content
 */
export function parseInput({ name, bytes }: NamedBytes, format: InputFormat = 'auto'): Input {
  if (bytes.length === 0) throw new CliError('data', `${name} is empty`);
  if (format === 'history') return historyIn(name, bytes);
  if (format === 'auto') {
    const history = tryHistory(name, bytes);
    if (history !== undefined) return history;
  }
  if (bytes.length > MAX_PAYLOAD_BYTES)
    throw new CliError(
      'data',
      `${name} is not a history, and exceeds the limit for payloads, ${MAX_PAYLOAD_BYTES / 2 ** 20} MiB`,
    );
  for (const read of format === 'auto' ? [fromJson, fromProtobuf, fromBase64] : [readers[format]]) {
    const [first, ...more] = read(bytes) ?? [];
    if (first !== undefined) return { kind: 'payloads', payloads: [first, ...more] };
  }
  throw new CliError(
    'data',
    `${name} contains ${format === 'auto' ? 'neither a history nor a payload' : `no payload in the form ${format}`}`,
    ['temporal-kms inspect --help'],
  );
}

function historyIn(name: string, bytes: Buffer): Input {
  try {
    return { kind: 'history', file: readHistoryFile(bytes) };
  } catch (error) {
    if (!(error instanceof HistoryFileError)) throw error;
    throw new CliError('data', `${name}: ${error.message}`, [], error);
  }
}

/** Returns undefined if the bytes are not a history. @throws CliError `data` if the history is damaged */
function tryHistory(name: string, bytes: Buffer): Input | undefined {
  try {
    return { kind: 'history', file: readHistoryFile(bytes) };
  } catch (error) {
    if (!(error instanceof HistoryFileError)) throw error;
    if (error.code === 'not_a_history') return undefined;
    // The bytes of a ciphertext may begin like an archive, and text that is not JSON may look like truncated
    // JSON.
    if (fromProtobuf(bytes) !== undefined || fromBase64(bytes) !== undefined) return undefined;
    throw new CliError('data', `${name}: ${error.message}`, [], error);
  }
}

type ReadPayloads = (bytes: Buffer) => Payload[] | undefined;

function fromJson(bytes: Buffer): Payload[] | undefined {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
  const payloads: unknown = isRecord(json) && Array.isArray(json['payloads']) ? json['payloads'] : json;
  const list: readonly unknown[] = Array.isArray(payloads) ? payloads : [payloads];
  return list.every(isPayloadJson) ? list.map(payloadFromJson) : undefined;
}

const isPayloadJson = (json: unknown): boolean => isRecord(json) && isRecord(json['metadata']);

const { Payload: PayloadMessage, Payloads: PayloadsMessage } = proto.temporal.api.common.v1;

function fromProtobuf(bytes: Buffer): Payload[] | undefined {
  const payload = decoded(() => PayloadMessage.decode(bytes));
  if (payload !== undefined && hasEncoding(payload)) return [payload];
  const list = decoded(() => PayloadsMessage.decode(bytes))?.payloads ?? [];
  return list.length > 0 && list.every(hasEncoding) ? list : undefined;
}

/** Whether the metadata has an `encoding` of printable characters, as every payload of Temporal's converters has. */
function hasEncoding({ metadata }: Payload): boolean {
  const encoding = metadata?.['encoding'];
  return encoding !== undefined && /^[\x21-\x7e]{1,200}$/.test(Buffer.from(encoding).toString('latin1'));
}

const BASE64 = /^[A-Za-z0-9+/_\s-]*={0,2}\s*$/;

function fromBase64(bytes: Buffer): Payload[] | undefined {
  const text = bytes.toString('latin1');
  if (text.trim() === '' || !BASE64.test(text)) return undefined;
  const inner = Buffer.from(text, 'base64');
  return fromJson(inner) ?? fromProtobuf(inner) ?? fromMessageData(inner);
}

/**
 * Parses `data` that was copied from Temporal's Web UI, without metadata. Only `envelope-v2` messages can be recognized
 * by their `data`.
 */
function fromMessageData(data: Buffer): Payload[] | undefined {
  if (decoded(() => messageHeader(data)) === undefined) return undefined;
  return [{ metadata: { encoding: Buffer.from('binary/envelope-kms-v2') }, data }];
}

const readers: Readonly<Record<Exclude<InputFormat, 'auto' | 'history'>, ReadPayloads>> = {
  json: fromJson,
  base64: fromBase64,
  protobuf: fromProtobuf,
};

function decoded<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch {
    return undefined;
  }
}
