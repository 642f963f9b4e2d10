import type { StackFrame } from '../failures/stack-trace.ts';
import type { Cause } from './cause.ts';
import { messageShape } from './message-shape.ts';

/** Changes whenever the same failure may get another id. Groups of different versions are never merged. */
export const FINGERPRINT_VERSION = 1;

/** What two failures must have in common to be one group. */
export interface FingerprintParts {
  /** The application's type. */
  readonly type: string;
  /** The activity, child or Nexus operation that failed, the innermost: `activity charge`. Empty: the workflow's code. */
  readonly place: string;
  /** Functions and files of the application without lines, the throwing one first. Empty while they are locked. */
  readonly frames: readonly string[];
  /** The message without what differs from run to run. Absent while it is locked. */
  readonly shape?: string | undefined;
}

/** Derived from the message, so show it only to a person who may read the message. */
export interface Fingerprint {
  /** `1-` and 16 hexadecimal digits. */
  readonly id: string;
  readonly version: number;
  readonly parts: FingerprintParts;
}

/** Frames that count. Callers further out differ between routes to the same fault. */
const MAX_FRAMES = 3;

/**
 * Returns the fingerprint of a cause. With locked payloads it consists of type and place: such groups are larger.
 *
 * @example
 * fingerprint(cause).id; // '1-9e3779b97f4a7c15'
 */
export function fingerprint(
  cause: Pick<Cause, 'type' | 'timeout' | 'places' | 'frames' | 'message'>,
): Fingerprint {
  const { message } = cause;
  const inner = cause.places.at(-1);
  const parts: FingerprintParts = {
    type: cause.timeout === undefined ? cause.type : `${cause.type}: ${cause.timeout}`,
    place: inner === undefined ? '' : `${inner.kind} ${inner.name}`,
    frames: framesOf(cause.frames),
    shape: message.status === 'readable' ? messageShape(message.text) : undefined,
  };
  return { id: `${FINGERPRINT_VERSION}-${hash(JSON.stringify(parts))}`, version: FINGERPRINT_VERSION, parts };
}

function framesOf(frames: readonly StackFrame[]): string[] {
  const names = frames.map(({ call, place }) => `${functionOf(call)} (${fileOf(place)})`);
  // A recursion is one frame, however deep it is.
  return names.filter((name, index) => name !== names[index - 1]).slice(0, MAX_FRAMES);
}

/** Without what builds and argument values change: addresses, line numbers, numbers of closures. */
const functionOf = (call: string): string =>
  call
    // Java names the class loader: `app//shop.Ledger.post`.
    .replace(/^async |^[\w.]*\/\//, '')
    .replace(/\(.*\)$/, '')
    .replaceAll(/\.func\d+(?:\.\d+)*/g, '.func')
    .replaceAll(/\$\d+|\$\$Lambda.*$/g, '');

/** The file's name without folder, line, and hash of a bundle: `capture.3f9a1c2d.js` is `capture.js`. */
const fileOf = (place: string): string =>
  (
    place
      .replace(/(?::\d+){1,2}$/, '')
      .split(/[\\/]/)
      .at(-1) ?? ''
  )
    .replaceAll(/[.-](?=[\da-f]*\d)[\da-f]{8,64}(?=\.)/gi, '')
    .replaceAll(/[.-]v?\d+(?:\.\d+)+(?=\.)/g, '');

/** FNV-1a with 64 bits (https://www.ietf.org/archive/id/draft-eastlake-fnv-35.html), which needs no crypto in the page. */
function hash(text: string): string {
  let value = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    value = BigInt.asUintN(64, (value ^ BigInt(byte)) * 0x100000001b3n);
  }
  return value.toString(16).padStart(16, '0');
}

/** What two failures have in common, and what separates them. */
export interface Likeness {
  readonly same: boolean;
  /** A line per part: `the same type CardDeclined`, `other messages: "…" and "…"`. */
  readonly reasons: readonly string[];
}

/**
 * Says why two failures are in one group, or why not.
 *
 * @example
 * whySame(fingerprint(one), fingerprint(other)).reasons; // ['the same type CardDeclined', 'the same activity charge', …]
 */
export function whySame(one: Fingerprint, other: Fingerprint): Likeness {
  if (one.version !== other.version)
    return {
      same: false,
      reasons: [`fingerprints of versions ${one.version} and ${other.version} cannot be compared`],
    };
  const [a, b] = [one.parts, other.parts];
  const reasons = [
    compared('type', a.type, b.type),
    compared('place', a.place || 'workflow code', b.place || 'workflow code'),
    compared('frames', a.frames.join(' ← ') || 'none', b.frames.join(' ← ') || 'none'),
    compared('message', a.shape ?? 'locked', b.shape ?? 'locked'),
  ];
  return { same: one.id === other.id, reasons };
}

const compared = (part: string, one: string, other: string): string =>
  one === other ? `the same ${part}: ${one}` : `different ${part}: ${one} | ${other}`;
