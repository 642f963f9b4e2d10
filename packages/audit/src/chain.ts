import { createHmac, hash, randomBytes } from 'node:crypto';
import { readTrustedFile } from '@temporal-kms/node-utils/trusted-files';

/**
 * The last line of a chain: its sequence number, and the SHA-256 of its bytes including the line feed, in
 * hexadecimal.
 */
export interface ChainHead {
  readonly seq: number;
  readonly hash: string;
}

/** A line's position in the chain. */
export interface Link {
  /** Random id of the process that wrote the line. */
  readonly instance: string;
  /** Sequence number of the line. The first line of a chain has number 1. */
  readonly seq: number;
  /** Hash of the previous line; all zeros for the first line. */
  readonly prev: string;
}

/** The head of a chain that has no lines yet. */
export const NOTHING: ChainHead = { seq: 0, hash: '0'.repeat(64) };

export const newInstance = (): string => randomBytes(8).toString('hex');

export const hashOf = (line: string | Uint8Array): string => hash('sha256', line, 'hex');

const linkText = (instance: string, seq: number, prev: string): string =>
  `,"chain":{"instance":"${instance}","seq":${seq},"prev":"${prev}"}}`;

/** Bytes of the shortest line with a link, without its line feed. */
export const MIN_LINKED_BYTES = `{${linkText('0'.repeat(16), 1, NOTHING.hash)}`.length;

/** No link is longer than this number of bytes, even with a sequence number of 16 digits. */
const LINK_BYTES = 160;

/** The bytes of consecutive lines, and the head after the last of these lines. */
export interface ChainedLines {
  readonly bytes: Buffer;
  readonly head: ChainHead;
}

/**
 * Adds a link as the last field to each line.
 * @param after the head of the chain before the first line
 * @param lines each line is a JSON object and a line feed
 */
export function chain(instance: string, after: ChainHead, lines: readonly string[]): ChainedLines {
  // UTF-8 takes at most three bytes for each UTF-16 code unit.
  const most = lines.reduce((sum, line) => sum + line.length * 3 + LINK_BYTES, 0);
  const bytes = Buffer.allocUnsafe(most);
  let { seq, hash: prev } = after;
  let end = 0;
  for (const line of lines) {
    seq += 1;
    const text = `${line.slice(0, -2)}${linkText(instance, seq, prev)}\n`;
    const length = bytes.write(text, end);
    prev = hashOf(bytes.subarray(end, end + length));
    end += length;
  }
  return { bytes: bytes.subarray(0, end), head: { seq, hash: prev } };
}

const LINK = /,"chain":\{"instance":"([0-9a-f]{16})","seq":([1-9]\d{0,15}),"prev":"([0-9a-f]{64})"\}\}$/;

/**
 * Returns the link of a line (without its line feed), or undefined if the line has no link. Text from a
 * caller cannot look like a link, because JSON escapes quotation marks.
 */
export function linkOf(line: Buffer): Link | undefined {
  if (line[0] !== 0x7b) return undefined;
  // Stryker disable next-line MethodExpression: affects only the speed.
  const end = line.toString('latin1', Math.max(0, line.length - LINK_BYTES));
  // Stryker disable next-line ArrayDeclaration: the first element is not used.
  const [, instance, seq, prev] = LINK.exec(end) ?? [];
  // Stryker disable next-line ConditionalExpression,LogicalOperator: the regular expression matches all groups or none.
  if (instance === undefined || prev === undefined) return undefined;
  return { instance, seq: Number(seq), prev };
}

/** Returns a head as `SEQ:HASH`, the form that the log and the commands use. */
export const formatHead = ({ seq, hash: of }: ChainHead): string => `${seq}:${of}`;

/** Parses a head that `formatHead` wrote. Returns undefined for any other text. */
export function parseHead(text: string): ChainHead | undefined {
  const found = /^(0|[1-9]\d{0,15}):([0-9a-f]{64})$/.exec(text);
  return found?.[2] === undefined ? undefined : { seq: Number(found[1]), hash: found[2] };
}

/**
 * Keyed digests of ciphertexts. With the key, an auditor can find the audited ciphertexts in histories and
 * exports.
 */
export interface Digests {
  /** Identifies the key without revealing anything about it. */
  readonly keyId: string;
  of(ciphertext: Uint8Array): string;
  /** Starts to compute the digest of a ciphertext that arrives in pieces. */
  begin(): Digest;
}

interface Digest {
  add(piece: Uint8Array): void;
  end(): string;
}

/**
 * Length in bytes to which the HMAC-SHA-256 is truncated (RFC 2104 section 5). 16 bytes are enough to prevent
 * deliberate collisions.
 */
const DIGEST_BYTES = 16;

/**
 * Returns functions that compute a ciphertext's digest: the first 16 bytes of its HMAC-SHA-256, in base64url
 * without padding.
 */
export function digestsWith(key: Uint8Array): Digests {
  const begin = (): Digest => {
    const hmac = createHmac('sha256', key);
    return {
      add: (piece) => void hmac.update(piece),
      end: () => hmac.digest().subarray(0, DIGEST_BYTES).toString('base64url'),
    };
  };
  const of = (ciphertext: Uint8Array): string => {
    const digest = begin();
    digest.add(ciphertext);
    return digest.end();
  };
  return { keyId: of(new Uint8Array()).slice(0, 11), of, begin };
}

/** Matches a key of at least 32 bytes in hexadecimal digits. */
const KEY = /^(?:[0-9a-f]{2}){32,}$/i;

const MAX_FILE_BYTES = 4_096;

/**
 * Reads the digest key.
 * @throws Error if the file cannot be read, contains no key, or other users can write to it
 */
export function readDigestKey(file: string): Digests {
  const text = readTrustedFile(file, MAX_FILE_BYTES).toString('utf8').trim();
  if (!KEY.test(text)) {
    throw new Error(
      `${file} contains no digest key: the key must be 64 or more hexadecimal digits (openssl rand -hex 32).`,
    );
  }
  return digestsWith(Buffer.from(text, 'hex'));
}
