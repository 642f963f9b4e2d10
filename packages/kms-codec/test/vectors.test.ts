import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { outcomeOf, vectorFiles } from './support/vectors.ts';
import { hex } from './vectors/make/bytes.ts';
import { dataOf, reasonCodesFile } from './vectors/make/derived.ts';
import { key } from './vectors/make/message.ts';

describe.each(vectorFiles)('$file', ({ vectors }) => {
  it.each(vectors)('$name', async (vector) => {
    const { format, expect: outcome, asked } = vector;
    expect(await outcomeOf(vector)).toEqual({ format, expect: outcome, asked });
    const passes = 'payload' in outcome && isDeepStrictEqual(outcome.payload, vector.stored);
    if (!passes) expect(await outcomeOf(vector, 'decrypt')).toEqual({ format, expect: outcome, asked });
  });
});

describe('the vectors', () => {
  const all = vectorFiles.flatMap(({ vectors }) => vectors);

  it('contain exactly the messages that `made` describes, encrypted without the library’s code', () => {
    const described = all.filter(({ made }) => made !== undefined);
    expect(described.length).toBeGreaterThan(200);
    for (const vector of described) expect(hex(dataOf(vector)), vector.name).toBe(vector.stored.data);
  });

  it('include the table of reason codes', async () => {
    const text = await readFile(new URL('vectors/files/reason-codes.json', import.meta.url), 'utf8');
    expect(JSON.parse(text)).toEqual(reasonCodesFile());
  });

  it('cover every format, both decrypted and rejected', () => {
    const seen = new Set(
      all.map((vector) => `${vector.format} ${'code' in vector.expect ? 'rejected' : 'decrypted'}`),
    );
    const formats = ['envelope-v2', 'envelope', 'direct', 'proxy', 'static'];
    expect([...seen]).toEqual(
      expect.arrayContaining(formats.flatMap((format) => [`${format} decrypted`, `${format} rejected`])),
    );
  });

  it('have unique names within a file, and each states its reason', () => {
    for (const { vectors } of vectorFiles) {
      expect(new Set(vectors.map(({ name }) => name)).size).toBe(vectors.length);
      expect(vectors.every(({ why }) => why.length > 0)).toBe(true);
    }
  });

  it('never call Cloud KMS for an unlisted key', () => {
    expect(all.filter(({ asked }) => asked.includes(key('attacker')))).toEqual([]);
  });
});
