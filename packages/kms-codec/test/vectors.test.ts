import { describe, expect, it } from 'vitest';
import { KmsCodecError } from '../src/index.ts';
import { codecFor, fromPayload, toPayload, vectorFiles } from './support/vectors.ts';
import { generated } from './vectors/cases/index.ts';
import { key } from './vectors/make/message.ts';
import type { Vector } from './vectors/make/vector.ts';

async function outcome(vector: Vector) {
  const { codec, keyService } = codecFor(vector);
  try {
    const [payload] = await codec.decode([toPayload(vector.stored)], vector.context);
    return { payload: fromPayload(payload!), asked: keyService.asked };
  } catch (error) {
    if (!(error instanceof KmsCodecError)) throw error;
    return { code: error.code, asked: keyService.asked };
  } finally {
    await codec.close();
  }
}

describe.each(vectorFiles)('$file', ({ vectors }) => {
  it.each(vectors)('$name', async (vector) => {
    const { asked, ...result } = await outcome(vector);
    expect(result).toEqual(vector.expect);
    expect([...asked]).toEqual(vector.asked);
    const { codec } = codecFor(vector);
    expect(codec.inspect(toPayload(vector.stored), vector.context).format).toBe(vector.format);
    await codec.close();
  });
});

describe('the vectors', () => {
  it.each(Object.entries(generated))('%s is what generate.ts writes', (name, file) => {
    const { file: _, ...stored } = vectorFiles.find((one) => one.file === name)!;
    expect(stored).toEqual(JSON.parse(JSON.stringify(file)));
  });

  const all = vectorFiles.flatMap(({ vectors }) => vectors);

  it('cover every format, opened and refused', () => {
    const seen = new Set(
      all.map((vector) => `${vector.format} ${'code' in vector.expect ? 'refused' : 'opened'}`),
    );
    const formats = ['envelope-v2', 'envelope', 'direct', 'proxy', 'static'];
    expect([...seen]).toEqual(
      expect.arrayContaining(formats.flatMap((format) => [`${format} opened`, `${format} refused`])),
    );
  });

  it('have names of their own in each file, and a reason', () => {
    for (const { vectors } of vectorFiles) {
      expect(new Set(vectors.map(({ name }) => name)).size).toBe(vectors.length);
      expect(vectors.every(({ why }) => why.length > 0)).toBe(true);
    }
  });

  it('never ask about a key that isn’t listed', () => {
    expect(all.filter(({ asked }) => asked.includes(key('attacker')))).toEqual([]);
  });
});
