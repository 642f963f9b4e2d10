import { createSecretKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { KmsCodec, type KmsCodecOptions } from './codec.ts';
import { CloudKms } from './keys/cloud-kms.ts';
import { KeyRules, type NamespaceRule, sealedFormats } from './keys/key-rules.ts';

/** Crypto key resource name, without a version. */
const cryptoKey = z
  .string()
  .regex(
    /^projects\/[^/\s]+\/locations\/[a-z0-9-]+\/keyRings\/[\w-]{1,63}\/cryptoKeys\/[\w-]{1,63}$/,
    'must be projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY',
  );

const namespaceRule = z.strictObject({
  encrypt: cryptoKey.optional(),
  decrypt: z.array(cryptoKey).optional(),
  accepts: z.array(z.string().min(1)).optional(),
  reads: z.array(z.enum(sealedFormats)).min(1).optional(),
  plaintext: z.enum(['pass', 'report', 'refuse']).optional(),
  static: z.record(z.string().min(1), z.strictObject({ file: z.string().min(1) })).optional(),
});

/** The keys file (`KMS_KEYS_FILE`): keys per namespace, docs/wire-formats.md and docs/architecture.md. */
const keysFile = z.strictObject({
  namespaces: z.record(z.string().min(1), namespaceRule).default({}),
  default: namespaceRule.omit({ accepts: true }).optional(),
});

/** What `createKmsCodec` needs: the guide's variables, or a keys file, parsed and checked. */
export interface KmsSettings {
  readonly rules: KeyRules;
  readonly emulatorHost: string | undefined;
  readonly format: KmsCodecOptions['format'];
  readonly compression: KmsCodecOptions['compression'];
  readonly bindWorkflow: boolean;
}

const needed = ['GCP_PROJECT', 'GCP_KMS_KEY_RING', 'GCP_KMS_KEY'] as const;

const variables = z.looseObject({
  GCP_PROJECT: z.string().min(1).optional(),
  GCP_KMS_LOCATION: z.string().min(1).optional(),
  GCP_KMS_KEY_RING: z.string().min(1).optional(),
  GCP_KMS_KEY: z.string().min(1).optional(),
  KMS_KEYS_FILE: z.string().min(1).optional(),
  KMS_EMULATOR_HOST: z
    .string()
    .regex(
      /^(localhost|127(\.\d{1,3}){3}|\[::1\]):\d{1,5}$/,
      'must be a loopback address with a port, as in 127.0.0.1:9061',
    )
    .optional(),
  KMS_FORMAT: z.enum(['envelope-v2', 'envelope', 'direct']).optional(),
  KMS_COMPRESSION: z.enum(['none', 'zstd']).optional(),
  KMS_BIND_WORKFLOW: z.enum(['true', 'false']).optional(),
  GOOGLE_SDK_NODE_LOGGING: z
    .undefined('must not be set: it makes @google-cloud/kms print plaintext data keys')
    .optional(),
});

/**
 * The environment variables that say which keys to use (the guide's, and a keys file instead of them) and how to write.
 * Each issue's path starts with its variable; those of a keys file go on with the place in the file. A wrong variable
 * doesn't hide another that is missing: all are told at once.
 */
export const kmsEnvironment: z.ZodType<KmsSettings> = z
  // Not a record: process.env isn't a plain object.
  .custom<Readonly<Record<string, string | undefined>>>((env) => typeof env === 'object' && env !== null)
  .transform((env, context): KmsSettings => {
    const fail: Fail = (path, message) => {
      context.issues.push({ code: 'custom', input: undefined, path: [...path], message });
    };
    const { GCP_KMS_LOCATION = 'global', KMS_KEYS_FILE } = env;
    const names = { ...env, GCP_KMS_LOCATION };
    const rules =
      KMS_KEYS_FILE === undefined ? guideRules(names, fail) : fileRules(KMS_KEYS_FILE, names, fail);
    const checked = variables.safeParse(env);
    for (const { path, message } of checked.error?.issues ?? []) fail(placeOf(path), message);
    const { KMS_EMULATOR_HOST, KMS_FORMAT, KMS_COMPRESSION, KMS_BIND_WORKFLOW } = checked.data ?? {};
    return {
      rules,
      emulatorHost: KMS_EMULATOR_HOST,
      format: KMS_FORMAT,
      compression: KMS_COMPRESSION === 'zstd' ? 'zstd' : undefined,
      bindWorkflow: KMS_BIND_WORKFLOW === 'true',
    };
  });

const placeOf = (path: readonly PropertyKey[]) =>
  path.map((part) => (typeof part === 'number' ? part : String(part)));

type Fail = (path: readonly (string | number)[], message: string) => void;
type Names = Readonly<Partial<Record<(typeof needed)[number], string | undefined>>> & {
  readonly GCP_KMS_LOCATION: string;
};

/** One key for every namespace; the guide's own formats are read as well, for histories that it wrote. */
function guideRules(env: Names, fail: Fail): KeyRules {
  for (const name of needed) if (env[name] === undefined) fail([name], 'is missing');
  const key = `projects/${env.GCP_PROJECT}/locations/${env.GCP_KMS_LOCATION}/keyRings/${env.GCP_KMS_KEY_RING}/cryptoKeys/${env.GCP_KMS_KEY}`;
  const parsed = cryptoKey.safeParse(key);
  if (!parsed.success && needed.every((name) => env[name] !== undefined)) {
    fail(['GCP_KMS_KEY'], `makes the name ${key}; it ${parsed.error.issues[0]?.message}`);
  }
  return new KeyRules({}, { encrypt: key, reads: ['envelope-v2', 'envelope', 'direct'] });
}

function fileRules(path: string, env: Names, fail: Fail): KeyRules {
  if (env.GCP_KMS_KEY !== undefined) fail(['KMS_KEYS_FILE'], 'and GCP_KMS_KEY are both set; use one of them');
  try {
    return readKeysFile(path, (place, message) => fail(['KMS_KEYS_FILE', ...place], message));
  } catch (error) {
    fail(['KMS_KEYS_FILE'], error instanceof Error ? error.message : String(error));
    return new KeyRules({});
  }
}

/** @param fail is told of every mistake with its place in the file @throws when the file can't be read */
function readKeysFile(path: string, fail: Fail): KeyRules {
  const document = parseDocument(readFileSync(path, 'utf8'));
  for (const { message } of document.errors) fail([], message);
  const file = keysFile.safeParse(document.toJS() ?? {});
  if (!file.success) {
    for (const issue of file.error.issues) fail(placeOf(issue.path), issue.message);
    return new KeyRules({});
  }
  const ruleOf = (entry: z.infer<typeof namespaceRule>, place: readonly string[]): NamespaceRule => {
    const keys = Object.entries(entry.static ?? {}).map(([id, { file: keyFile }]) => {
      return [
        id,
        staticKey(resolve(dirname(path), keyFile), (message) =>
          fail([...place, 'static', id, 'file'], message),
        ),
      ] as const;
    });
    return { ...entry, static: new Map(keys.flatMap(([id, key]) => (key ? [[id, key] as const] : []))) };
  };
  const { namespaces, default: byDefault } = file.data;
  if (Object.keys(namespaces).length === 0 && !byDefault) fail([], 'names neither a namespace nor a default');
  const rules = Object.entries(namespaces).map(
    ([name, entry]) => [name, ruleOf(entry, ['namespaces', name])] as const,
  );
  return new KeyRules(Object.fromEntries(rules), byDefault && ruleOf(byDefault, ['default']));
}

/** A static key's file holds 32 bytes, as they are, in hex or in base64. */
function staticKey(path: string, fail: (message: string) => void): KeyObject | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
    return undefined;
  }
  const text = bytes.toString('latin1').trim();
  const key = [
    bytes,
    Buffer.from(text, 'latin1'),
    Buffer.from(text, 'hex'),
    Buffer.from(text, 'base64'),
  ].find(({ length }) => length === 32);
  if (!key) {
    fail('must hold 32 bytes, as they are, in hex or in base64');
    return undefined;
  }
  const imported = createSecretKey(key);
  key.fill(0);
  bytes.fill(0);
  return imported;
}

/** What an application adds to its environment. */
export type KmsCodecExtras = Pick<
  KmsCodecOptions,
  'namespace' | 'observer' | 'limits' | 'ignoreContext' | 'innerCodecs' | 'waitMs'
>;

/** The codec that settings describe, over Google's client. Call `warm` before it takes traffic, `close` at the end. */
export function createKmsCodec(settings: KmsSettings, extras: KmsCodecExtras = {}): KmsCodec {
  const { rules, emulatorHost, format, compression, bindWorkflow } = settings;
  const keyService = new CloudKms({ emulatorHost, ...(extras.observer && { observer: extras.observer }) });
  return new KmsCodec({ rules, keyService, format, compression, bindWorkflow, ...extras });
}

/**
 * The codec that the environment describes: the guide's `load_kms_codec`.
 * @throws Error that names every variable that is missing or wrong
 */
export function loadKmsCodec(
  options: KmsCodecExtras & { readonly env?: Record<string, string | undefined> } = {},
): KmsCodec {
  const { env = process.env, ...extras } = options;
  const settings = kmsEnvironment.safeParse(env);
  if (!settings.success) {
    const mistakes = settings.error.issues.map(({ path, message }) => `  ${path.join('.')} ${message}`);
    throw new Error(`The KMS codec's environment is wrong:\n${mistakes.join('\n')}`);
  }
  const namespace = extras.namespace ?? env['TEMPORAL_NAMESPACE'];
  return createKmsCodec(settings.data, { ...extras, ...(namespace !== undefined && { namespace }) });
}
