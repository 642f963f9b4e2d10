import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parseStrictYaml, StrictYamlError } from '@temporal-kms/kms-codec/strict-yaml';
import { asJsonFile } from '@temporal-kms/testing/fuzz';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { isSafeUrl, policy } from '../../src/access/policy.ts';
import { examplePolicy } from '../access/support/example.ts';

/*
 * The input is the bytes of a policy file. The server either refuses a file and names its mistakes, or
 * accepts it. If it accepts a file, the JSON Schema and the parser also accept the same policy in JSON,
 * tokens need a signature with an asymmetric key that the server fetches over a safe URL, and each rule
 * applies only to some callers of an issuer in the file.
 */

export const reaches = ['accepted', 'refused'];

const read = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
const isValid = new Ajv2020({ validateFormats: false, strictTypes: false }).compile(
  read('../../policy-file.schema.json'),
);

export function fuzz(data: Uint8Array): string {
  try {
    const yaml = parseStrictYaml(data);
    const accepted = yaml.check(policy);
    const json = asJsonFile(yaml.value);
    if (json) assert.deepEqual(parseStrictYaml(json).check(policy), accepted);
    assert(isValid(JSON.parse(JSON.stringify(yaml.value))));
    for (const { algorithms, keys, audience } of Object.values(accepted.issuers)) {
      assert(algorithms.length > 0 && algorithms.every((name) => /^((RS|PS|ES)\d{3}|Ed.+)$/.test(name)));
      assert(isSafeUrl('jwks' in keys ? keys.jwks : keys.discovery));
      assert(audience.length > 0);
    }
    for (const { issuer, match } of accepted.rules) {
      assert(Object.hasOwn(accepted.issuers, issuer));
      assert(Object.keys(match).length > 0);
    }
    return 'accepted';
  } catch (error) {
    if (!(error instanceof StrictYamlError)) throw error;
    assert(error.mistakes.length > 0);
    return 'refused';
  }
}

export const seeds = (): Uint8Array[] => [
  Buffer.from(examplePolicy()),
  ...read('../access/vectors/policy-file.json').vectors.map(({ text }: { text: string }) =>
    Buffer.from(text),
  ),
];
