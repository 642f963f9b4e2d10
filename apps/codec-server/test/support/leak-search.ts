import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { CANARY_PREFIX, formsOf } from '@temporal-kms/testing/canaries';

/**
 * The environment variable that names the folder in which a test run records its servers' output and secrets.
 * `whole-run.ts` sets the variable.
 */
export const RUN_FOLDER = 'TEST_RUN_FOLDER';

/** The first characters of a signed token whose header begins with the member `alg`, `typ` or `kid`. */
const TOKENS = ['alg', 'typ', 'kid'].map((name) =>
  Buffer.from(`{"${name}":"`).toString('base64url').slice(0, -1),
);

/** Matches any signed token. */
const token = /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/;

/**
 * The number of characters by which recorded chunks overlap. The overlap exceeds the length of every form of
 * a data key.
 */
export const OVERLAP = 300;
/**
 * The search compares `GRAM` characters at every `LOOK_EVERY`th position. It misses no data key, because
 * every form of a data key has at least `LOOK_EVERY + GRAM - 1` characters.
 */
const GRAM = 8;
const LOOK_EVERY = 25;

/**
 * Returns a function that finds data keys in text. There are hundreds of keys in a dozen forms, and hundreds
 * of megabytes of output. For speed, the function reads 8 characters at every 25th position of the text. The
 * function searches for whole forms only where a form has the same 8 characters at one of its first 25
 * positions.
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

/** Whether recorded output may contain plaintext, as only responses to permitted callers may. */
export type Kept = 'withPlaintext' | 'withoutPlaintext';

/** Returns a function that finds secrets in output: data keys, tokens, and canaries where plaintext is not allowed. */
export function searchForSecrets(keys: readonly Uint8Array[]): (text: string, kept: Kept) => string[] {
  const keysIn = searchForKeys(keys);
  const never = TOKENS.flatMap(formsOf);
  const forms = { withPlaintext: never, withoutPlaintext: [...never, ...formsOf(CANARY_PREFIX)] };
  return (text, kept) => [
    ...new Set([
      ...forms[kept].filter((form) => text.includes(form)),
      ...keysIn(text),
      ...(token.exec(text)?.slice(0, 1) ?? []),
    ]),
  ];
}

const folder = process.env[RUN_FOLDER];

/** Records output for the search after the run. */
export const keepForSearch = (whole: string | Uint8Array, kept: Kept = 'withoutPlaintext'): void =>
  keep(kept, whole);

/**
 * Records output that arrives in chunks. Recorded chunks overlap, so that the search finds a secret that
 * spans two chunks.
 */
export function keepChunks(): (chunk: string | Uint8Array, kept?: Kept) => void {
  let end = Buffer.alloc(0);
  return (chunk, kept = 'withoutPlaintext') => {
    const bytes = Buffer.concat([end, Buffer.from(chunk)]);
    end = Buffer.from(bytes.subarray(-OVERLAP));
    keep(kept, bytes);
  };
}

/** Records the bytes of a data key for the search after the run. */
export const keepKey = (key: Uint8Array): void => keep('keys', Buffer.from(key).toString('hex'));

function keep(kind: Kept | 'keys', what: string | Uint8Array): void {
  if (folder === undefined) return;
  // Writes synchronously, in one call, because the process may be killed immediately afterwards.
  appendFileSync(
    join(folder, `${kind}-${process.pid}.txt`),
    Buffer.concat([Buffer.from(what), Buffer.from('\n')]),
  );
}
