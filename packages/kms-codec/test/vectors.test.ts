import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { recordLines } from '@temporal-kms/testing/record-lines';
import { describe, expect, it } from 'vitest';
import { outcomeOf, vectorFiles } from './support/vectors.ts';
import { generated } from './vectors/cases/index.ts';
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
  it.each(Object.entries(generated))('%s equals the output of generate.ts', async (name, file) => {
    const text = await readFile(new URL(`vectors/${name}`, import.meta.url), 'utf8');
    expect(text).toBe(recordLines(file));
  });

  const all = vectorFiles.flatMap(({ vectors }) => vectors);

  it('cover every format, decrypted and rejected', () => {
    const seen = new Set(
      all.map((vector) => `${vector.format} ${'code' in vector.expect ? 'rejected' : 'decrypted'}`),
    );
    const formats = ['envelope-v2', 'envelope', 'direct', 'proxy', 'static'];
    expect([...seen]).toEqual(
      expect.arrayContaining(formats.flatMap((format) => [`${format} decrypted`, `${format} rejected`])),
    );
  });

  it('have a unique name in each file and a reason', () => {
    for (const { vectors } of vectorFiles) {
      expect(new Set(vectors.map(({ name }) => name)).size).toBe(vectors.length);
      expect(vectors.every(({ why }) => why.length > 0)).toBe(true);
    }
  });

  it('never use a key that is not listed', () => {
    expect(all.filter(({ asked }) => asked.includes(key('attacker')))).toEqual([]);
  });
});
