import { hash, randomBytes } from 'node:crypto';

/** The last line of a chain: its sequence number and the SHA-256 of its bytes, line feed included, in hexadecimal. */
export interface ChainHead {
  readonly seq: number;
  readonly hash: string;
}

/** What a line says of its place in the chain. */
export interface Link {
  /** Random, of the process that wrote the line. */
  readonly instance: string;
  /** 1 for the first line of a chain, one more with each line. */
  readonly seq: number;
  /** Hash of the line before; zeros for the first. */
  readonly prev: string;
}

/** What the first line of a chain follows. */
export const NOTHING: ChainHead = { seq: 0, hash: '0'.repeat(64) };

export const newInstance = (): string => randomBytes(8).toString('hex');

export const hashOf = (line: string | Uint8Array): string => hash('sha256', line, 'hex');

/** Room for a link in a line, whose sequence number has at most 16 digits. */
const LINK_BYTES = 160;

/** Lines that follow one another in their bytes, and the last of them. */
export interface ChainedLines {
  readonly bytes: Buffer;
  readonly head: ChainHead;
}

/**
 * Adds to each line, an object of JSON and a line feed, its link as the last field.
 * @param after what the first of them follows
 */
export function chain(instance: string, after: ChainHead, lines: readonly string[]): ChainedLines {
  // Three bytes for each UTF-16 unit at most.
  const most = lines.reduce((sum, line) => sum + line.length * 3 + LINK_BYTES, 0);
  const bytes = Buffer.allocUnsafe(most);
  let { seq, hash: prev } = after;
  let end = 0;
  for (const line of lines) {
    seq += 1;
    const text = `${line.slice(0, -2)},"chain":{"instance":"${instance}","seq":${seq},"prev":"${prev}"}}\n`;
    const length = bytes.write(text, end);
    prev = hashOf(bytes.subarray(end, end + length));
    end += length;
  }
  return { bytes: bytes.subarray(0, end), head: { seq, hash: prev } };
}

const LINK = /,"chain":\{"instance":"([0-9a-f]{16})","seq":([1-9]\d{0,15}),"prev":"([0-9a-f]{64})"\}\}$/;

/**
 * The link of a line without its line feed. No text of a caller can be taken for one: quotation marks in it are escaped.
 * @returns undefined for a line that is in no chain
 */
export function linkOf(line: Buffer): Link | undefined {
  if (line[0] !== 0x7b) return undefined;
  const [, instance, seq, prev] =
    LINK.exec(line.toString('latin1', Math.max(0, line.length - LINK_BYTES))) ?? [];
  if (instance === undefined || prev === undefined) return undefined;
  return { instance, seq: Number(seq), prev };
}

/** `SEQ:HASH`, as the log and the commands write a head. */
export const formatHead = ({ seq, hash: of }: ChainHead): string => `${seq}:${of}`;

export function parseHead(text: string): ChainHead | undefined {
  const found = /^(0|[1-9]\d{0,15}):([0-9a-f]{64})$/.exec(text);
  return found?.[2] === undefined ? undefined : { seq: Number(found[1]), hash: found[2] };
}
