import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { CANARY_PREFIX, formsOf } from '@temporal-kms/testing/canaries';

/** Where a test run keeps what its servers said, and the secrets that must not be in it; set by `whole-run.ts`. */
export const RUN_FOLDER = 'TEST_RUN_FOLDER';

/** How signed tokens begin: with their header, whose first member is `alg`, `typ` or `kid`. */
const TOKENS = ['alg', 'typ', 'kid'].map((name) =>
  Buffer.from(`{"${name}":"`).toString('base64url').slice(0, -1),
);

/** A signed token, whoever made it. */
const token = /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/;

/** Characters of the longest form of a data key, and some. */
export const OVERLAP = 300;
/** Every form of a data key has at least `LOOK_EVERY + GRAM - 1` characters. */
const GRAM = 8;
const LOOK_EVERY = 25;

/**
 * The forms of data keys that are in a text. A run has hundreds of keys in a dozen forms, and hundreds of megabytes:
 * looked up is what stands at every 25th place, and known are the characters at each of 25 places of each form.
 */
function searchForKeys(keys: readonly Uint8Array[]): (text: string) => string[] {
  const forms = keys.flatMap(formsOf);
  const grams = new Set<string>();
  for (const form of forms) {
    for (let at = 0; at < LOOK_EVERY; at += 1) grams.add(form.slice(at, at + GRAM));
  }
  return (text) => {
    const found: string[] = [];
    for (let at = 0; at < text.length; at += LOOK_EVERY) {
      if (!grams.has(text.slice(at, at + GRAM))) continue;
      const around = text.slice(Math.max(0, at - OVERLAP), at + OVERLAP);
      found.push(...forms.filter((form) => around.includes(form)));
    }
    return found;
  };
}

/** What was kept: `opened` are answers to those who may see plaintext, `sealed` is all else. */
export type Kept = 'sealed' | 'opened';

/** What of a run is a secret: a data key, a token, and a canary where no plaintext belongs. */
export function searchForSecrets(keys: readonly Uint8Array[]): (text: string, kept: Kept) => string[] {
  const keysIn = searchForKeys(keys);
  const never = TOKENS.flatMap(formsOf);
  const forms = { opened: never, sealed: [...never, ...formsOf(CANARY_PREFIX)] };
  return (text, kept) => [
    ...new Set([
      ...forms[kept].filter((form) => text.includes(form)),
      ...keysIn(text),
      ...(token.exec(text)?.slice(0, 1) ?? []),
    ]),
  ];
}

const folder = process.env[RUN_FOLDER];

/** For the search after the run. */
export const keepForSearch = (whole: string | Uint8Array, kept: Kept = 'sealed'): void => keep(kept, whole);

/** For what comes in pieces: what is cut in two would be found in neither. */
export function keepPieces(): (piece: string | Uint8Array, kept?: Kept) => void {
  let end = Buffer.alloc(0);
  return (piece, kept = 'sealed') => {
    const bytes = Buffer.concat([end, Buffer.from(piece)]);
    end = Buffer.from(bytes.subarray(-OVERLAP));
    keep(kept, bytes);
  };
}

/** A data key's bytes, likewise. */
export const keepKey = (key: Uint8Array): void => keep('keys', Buffer.from(key).toString('hex'));

function keep(kind: Kept | 'keys', what: string | Uint8Array): void {
  if (folder === undefined) return;
  // In one call, and at once: a server may be killed next.
  appendFileSync(
    join(folder, `${kind}-${process.pid}.txt`),
    Buffer.concat([Buffer.from(what), Buffer.from('\n')]),
  );
}
