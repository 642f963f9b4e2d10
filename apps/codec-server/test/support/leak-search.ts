import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** Where a test run keeps what its servers logged, and the secrets that must not be in it; set by `whole-run.ts`. */
export const RUN_FOLDER = 'CODEC_TEST_RUN_FOLDER';

/** Every secret text of these tests begins like this. */
const CANARY = 'canary-';

/** Text as it may stand in a log: as it is, in hex, and in base64 of either alphabet at each of three offsets. */
function formsOf(secret: string | Uint8Array): string[] {
  const bytes = Buffer.from(secret);
  const shifted = [0, 1, 2].flatMap((shift) => {
    const whole = Buffer.concat([Buffer.alloc(shift), bytes]);
    // Characters that bits of neighbours are mixed into say nothing.
    const first = Math.ceil((shift * 8) / 6);
    const count = Math.floor((whole.length * 8) / 6) - first;
    return (['base64', 'base64url'] as const).map((alphabet) =>
      whole.toString(alphabet).slice(first, first + count),
    );
  });
  const plain = typeof secret === 'string' ? [secret, JSON.stringify(secret).slice(1, -1)] : [];
  return [...new Set([...plain, bytes.toString('hex'), bytes.toString('hex').toUpperCase(), ...shifted])];
}

/** The forms that are found. */
export const leaksIn = (text: string, secrets: readonly (string | Uint8Array)[]): string[] =>
  secrets.flatMap(formsOf).filter((form) => text.includes(form));

/** A signed token, whoever made it. */
const token = /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/;

/** What of a run's logs is a secret: a canary in any form, a token, a data key. */
export function leaksInRun(text: string, keys: readonly Uint8Array[]): string[] {
  const found = leaksIn(text, [CANARY, ...keys]);
  const tokens = token.exec(text);
  return tokens === null ? found : [...found, tokens[0]];
}

const folder = process.env[RUN_FOLDER];

/** What a server logged, for the search after the run. */
export const keepForSearch = (text: string): void => keep('logs', text);

/** A data key's bytes, likewise. */
export const keepKey = (key: Uint8Array): void => keep('keys', `${Buffer.from(key).toString('hex')}\n`);

function keep(kind: 'logs' | 'keys', text: string): void {
  if (folder === undefined) return;
  mkdirSync(join(folder, kind), { recursive: true });
  appendFileSync(join(folder, kind, `${process.pid}.txt`), text);
}
