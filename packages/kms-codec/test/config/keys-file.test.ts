import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keysFileVectors } from '@temporal-kms/vectors/files';
import { afterAll, describe, expect, it } from 'vitest';
import { keysFileJsonSchema } from '../../src/config/keys-file.ts';
import { described, readKeysFileText } from '../support/keys-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'keys-file-'));
afterAll(() => rmSync(folder, { recursive: true }));
const read = (text: string, files?: Readonly<Record<string, string>>) =>
  readKeysFileText(folder, text, files);

describe('the keys file reader', () => {
  it.each(keysFileVectors)('follows the vector: $name', ({ text, files, rules, refused }) => {
    const result = read(text, files);
    if (refused !== undefined) expect(result).toContain(refused);
    else expect(typeof result === 'string' ? result : described(result)).toEqual(rules);
  });

  it('rejects a file that is truncated at any byte', () => {
    const key = 'projects/p/locations/l/keyRings/r/cryptoKeys/payments';
    const whole = `namespaces:\n  payments-test: { encrypt: ${key}-test, accepts: [orders-old] }\ndefault:\n  encrypt: ${key}\n...`;
    expect(typeof read(whole)).toBe('object');
    for (let length = 0; length < whole.length; length += 1) {
      expect(typeof read(whole.slice(0, length))).toBe('string');
    }
  });

  it('matches the published JSON Schema, which `vitest -u` updates', async () => {
    const schema = `${JSON.stringify(keysFileJsonSchema(), undefined, 2)}\n`;
    await expect(schema).toMatchFileSnapshot('../../keys-file.schema.json');
  });
});
