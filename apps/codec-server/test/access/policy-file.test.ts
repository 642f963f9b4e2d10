import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseStrictYaml, StrictYamlError } from '@temporal-kms/kms-codec/strict-yaml';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parsePolicy, policy } from '../../src/access/policy.ts';
import { examplePolicy } from './support/example.ts';

const read = (path: string): unknown => JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
const published = z.looseObject({}).parse(read('../../policy-file.schema.json'));
const { vectors } = z
  .strictObject({
    about: z.string(),
    vectors: z.array(
      z.strictObject({
        name: z.string(),
        text: z.string(),
        refused: z.string().optional(),
        by: z.enum(['yaml', 'schema', 'server']).optional(),
      }),
    ),
  })
  .parse(read('vectors/policy-file.json'));

function refusal(text: string): StrictYamlError {
  try {
    parsePolicy(text);
  } catch (error) {
    if (error instanceof StrictYamlError) return error;
    throw error;
  }
  throw new Error(`was accepted: ${createHash('sha256').update(text).digest('hex')}`);
}

describe('a policy file', () => {
  it('is described by policy-file.schema.json, which matches the server’s own schema', () => {
    expect(published).toEqual(z.toJSONSchema(policy, { io: 'input' }));
  });

  // Ignores the schema's format "uri", which only editors use.
  const isValid = new Ajv2020({ validateFormats: false }).compile(published);

  it.each(vectors)('is accepted or refused as the test vector expects: $name', ({ text, refused, by }) => {
    if (refused === undefined) parsePolicy(text);
    else expect(refusal(text).message).toContain(refused);
    // Text that is not strict YAML has no value that the schema could check.
    if (by === 'yaml') return;
    const { value } = parseStrictYaml(Buffer.from(text));
    expect(isValid(JSON.parse(JSON.stringify(value)))).toBe(by !== 'schema');
  });

  it('is refused if it is truncated at any byte', () => {
    const whole = Buffer.from(examplePolicy());
    const end = whole.lastIndexOf('...') + '...'.length;
    expect(() => parsePolicy(whole.subarray(0, end).toString())).not.toThrow();
    for (let length = 0; length < end; length += 1) refusal(whole.subarray(0, length).toString('latin1'));
  });

  it('is refused if its beginning is missing', () => {
    const whole = examplePolicy();
    refusal(whole.slice(whole.indexOf('rules:')));
  });
});
