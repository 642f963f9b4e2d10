import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asJsonFile } from '@temporal-kms/testing/fuzz';
import { parseStrictYaml, StrictYamlError } from '../../src/config/strict-yaml.ts';
import { keysFileVectors } from '@temporal-kms/vectors/files';
import { described, readKeysFileText } from '../support/keys-file.ts';

/*
 * The input is the bytes of a keys file. A file is either refused with its mistakes or accepted. If it is
 * accepted, the same rules in JSON are accepted too.
 */

export const reaches = ['accepted', 'refused', 'refused as YAML'];

const folder = mkdtempSync(join(tmpdir(), 'kms-fuzz-'));

export function fuzz(data: Uint8Array): string {
  const value = strictYaml(data);
  // Most inputs are not valid YAML, so the target writes no file for them.
  if (value === undefined) return 'refused as YAML';
  const rules = readKeysFileText(folder, data);
  if (typeof rules === 'string') {
    assert.notEqual(rules, '');
    return 'refused';
  }
  const json = asJsonFile(value);
  if (json) {
    const same = readKeysFileText(folder, json);
    assert.deepEqual(typeof same === 'string' ? same : described(same), described(rules));
  }
  return 'accepted';
}

function strictYaml(data: Uint8Array): unknown {
  try {
    return parseStrictYaml(data).value;
  } catch (error) {
    if (!(error instanceof StrictYamlError)) throw error;
    assert(error.mistakes.length > 0);
    return undefined;
  }
}

export const seeds = (): Uint8Array[] => keysFileVectors.map(({ text }) => Buffer.from(text));
