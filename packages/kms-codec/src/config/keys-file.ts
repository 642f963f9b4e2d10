import { createSecretKey, type KeyObject } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { readTrustedFile } from '@temporal-kms/node-utils/trusted-files';
import { z } from 'zod';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import {
  encryptedFormats,
  findRuleMistakes,
  KeyRules,
  type NamespaceRule,
  unsafeSettings,
} from '../keys/key-rules.ts';
import { WRAPPED_KEY_HASH } from '../crypto/wrapped-key.ts';
import { readStrictYaml, StrictYamlError, type YamlPath } from './strict-yaml.ts';

/*
 * The keys file (`KMS_KEYS_FILE`) lists the keys of each namespace. `keys-file.schema.json` is the same
 * schema as JSON Schema, for other languages. packages/vectors tests this implementation and the Python
 * implementation. docs/wire-formats.md describes the rules.
 */

/**
 * A crypto key resource name without a version. The pattern uses only character classes that mean the same in
 * all languages' regular expressions.
 */
export const cryptoKey = z
  .string()
  .regex(
    /^projects\/[A-Za-z0-9_.:-]+\/locations\/[a-z0-9-]+\/keyRings\/[A-Za-z0-9_-]{1,63}\/cryptoKeys\/[A-Za-z0-9_-]{1,63}$/,
    'must be projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY',
  );

/**
 * A name without wildcards, which would match nothing, and without leading or trailing spaces, which would be
 * invisible.
 */
const name = z
  .string()
  .regex(/^[^\s*]([^*]*[^\s*])?$/, 'must be a name without * and without a space at its beginning or end');

const namespaceRule = z.strictObject({
  encrypt: cryptoKey.optional(),
  decrypt: z.array(cryptoKey).optional(),
  accepts: z.array(name).optional(),
  reads: z.array(z.enum(encryptedFormats)).min(1).optional(),
  plaintext: z.enum(['pass', 'report', 'refuse']).optional(),
  static: z.record(name, z.strictObject({ file: z.string().min(1) })).optional(),
  unsafe: z.array(z.enum(unsafeSettings)).optional(),
  workflowTag: z.enum(['require']).optional(),
});

/** The SHA-256 of a wrapped key, as `temporal-kms inspect` prints it. */
const keyHash = z.string().regex(WRAPPED_KEY_HASH, 'must be a SHA-256 in 64 lowercase hexadecimal digits');

const keysFile = z.strictObject({
  namespaces: z.record(name, namespaceRule).optional(),
  default: namespaceRule.omit({ accepts: true }).optional(),
  deny: z.array(keyHash).optional(),
});

/** Returns the content of `keys-file.schema.json`. */
export const keysFileJsonSchema = (): object =>
  z.toJSONSchema(keysFile.meta({ title: 'Keys file of temporal-kms (KMS_KEYS_FILE)' }), { io: 'input' });

type FileRule = z.infer<typeof namespaceRule>;

type Report = (place: YamlPath, message: string) => void;

export interface KeysFile {
  readonly rules: KeyRules;
  /** SHA-256 of the file's bytes, in hex. */
  readonly digest: string;
}

/**
 * Reads a keys file and the static keys that it names. Reports all mistakes. Returns undefined if there are
 * mistakes.
 */
export function readKeysFile(path: string, report: Report): KeysFile | undefined {
  try {
    const file = readStrictYaml(path);
    const rules = toRules(dirname(path), file.check(keysFile), report);
    return rules && { rules, digest: file.digest };
  } catch (error) {
    if (!(error instanceof StrictYamlError)) throw error;
    for (const { path: place, message, line } of error.mistakes) {
      report(place, line === undefined ? message : `${message} (line ${line})`);
    }
    return undefined;
  }
}

function toRules(
  folder: string,
  { namespaces: byName = {}, default: byDefault, deny }: z.infer<typeof keysFile>,
  report: Report,
): KeyRules | undefined {
  const namespaces = Object.entries(byName);
  let isWrong = false;
  const fail: Report = (place, message) => {
    isWrong = true;
    report(place, message);
  };
  if (namespaces.length === 0 && !byDefault) fail([], 'names neither a namespace nor a default');
  const toRule = (rule: FileRule, place: YamlPath): NamespaceRule => ({
    ...rule,
    static: new Map(
      Object.entries(rule.static ?? {}).flatMap(([id, { file }]): [string, KeyObject][] => {
        try {
          return [[id, readStaticKey(resolve(folder, file))]];
        } catch (error) {
          fail([...place, 'static', id, 'file'], messageOf(error));
          return [];
        }
      }),
    ),
  });
  const named = namespaces.map(([one, rule]) => [one, toRule(rule, ['namespaces', one])] as const);
  const other = byDefault && toRule(byDefault, ['default']);
  for (const { namespace, field, message } of findRuleMistakes(named, other)) {
    fail([...(namespace === undefined ? ['default'] : ['namespaces', namespace]), field], message);
  }
  return isWrong ? undefined : new KeyRules(Object.fromEntries(named), other, deny);
}

const MAX_STATIC_KEY_BYTES = 1_024;
const STATIC_KEY_BYTES = 32;
const HEX = /^[0-9A-Fa-f]{64}$/;
const BASE64 = /^[A-Za-z0-9+/]{43}=$/;

/**
 * Reads a static key's file: 32 raw bytes, 64 hexadecimal digits, or 44 characters of padded base64. A line
 * end may follow the hexadecimal or base64 text. Rejects 32 bytes of text, because they
 * could be a key of half the length in hexadecimal.
 * @throws Error whose message describes the mistake but does not contain the file's content
 */
function readStaticKey(path: string): KeyObject {
  const bytes = readTrustedFile(path, MAX_STATIC_KEY_BYTES);
  const key = decodeStaticKey(bytes);
  try {
    if (key) return createSecretKey(key);
    throw new Error(
      'must contain a key of 32 bytes: raw, as 64 hexadecimal digits, or as 44 characters of base64',
    );
  } finally {
    key?.fill(0);
    bytes.fill(0);
  }
}

function decodeStaticKey(bytes: Buffer): Buffer | undefined {
  const isText = bytes.every((byte) => (byte >= 0x20 && byte < 0x7f) || (byte >= 0x09 && byte <= 0x0d));
  if (!isText) return bytes.length === STATIC_KEY_BYTES ? bytes : undefined;
  const text = bytes.toString('latin1').replace(/\r?\n$/, '');
  if (HEX.test(text)) return Buffer.from(text, 'hex');
  if (!BASE64.test(text)) return undefined;
  const key = Buffer.from(text, 'base64');
  // The unused bits of the last character must be 0. Otherwise two strings would encode the same key.
  return key.toString('base64') === text ? key : undefined;
}
