import { isDeepStrictEqual } from 'node:util';
import { messageFiles } from '@temporal-kms/vectors/files';
import { describe, expect, it } from 'vitest';
import { outcomeOf } from './support/vectors.ts';

describe.each(messageFiles)('$file', ({ vectors }) => {
  it.each(vectors)('$name', async (vector) => {
    const { format, expect: outcome, asked, requirements } = vector;
    expect(await outcomeOf(vector)).toEqual({ format, expect: outcome, asked });
    const decrypted = await outcomeOf(vector, 'decrypt');
    const passes = 'payload' in outcome && isDeepStrictEqual(outcome.payload, vector.stored);
    if (requirements.includes('N-5')) expect(decrypted.expect).toHaveProperty('code');
    else if (!passes) expect(decrypted).toEqual({ format, expect: outcome, asked });
  });
});
