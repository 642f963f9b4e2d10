import { z } from 'zod';
import { KmsCodec } from './codec.ts';
import type { KmsCodecOptions } from './codec-options.ts';
import { exposingSettings } from './diagnostics.ts';
import { CloudKms } from './keys/cloud-kms.ts';
import { KeyRules, type NamespaceRule } from './keys/key-rules.ts';
import { unsafeSettings } from './keys/key-rules.ts';
import { cryptoKey, readKeysFile } from './keys-file.ts';

/** What `createKmsCodec` needs: the guide's variables, or a keys file, parsed and checked. */
export interface KmsSettings {
  readonly rules: KeyRules;
  /** SHA-256 of the keys file, in hex: which version of it is in force. */
  readonly keysFileDigest?: string | undefined;
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
  KMS_UNSAFE: z.enum(unsafeSettings).optional(),
  KMS_COMPRESSION: z.enum(['none', 'zstd']).optional(),
  KMS_BIND_WORKFLOW: z.enum(['true', 'false']).optional(),
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
    const file = KMS_KEYS_FILE === undefined ? undefined : fileRules(KMS_KEYS_FILE, names, fail);
    const rules = KMS_KEYS_FILE === undefined ? guideRules(names, fail) : (file?.rules ?? new KeyRules({}));
    const checked = variables.safeParse(env);
    for (const { path, message } of checked.error?.issues ?? []) fail(placeOf(path), message);
    for (const { setting, problem } of exposingSettings({ env })) fail([setting], problem);
    const { KMS_EMULATOR_HOST, KMS_FORMAT, KMS_COMPRESSION, KMS_BIND_WORKFLOW } = checked.data ?? {};
    return {
      rules,
      keysFileDigest: file?.digest,
      emulatorHost: KMS_EMULATOR_HOST,
      format: KMS_FORMAT,
      compression: KMS_COMPRESSION === 'zstd' ? 'zstd' : undefined,
      bindWorkflow: KMS_BIND_WORKFLOW === 'true',
    };
  });

const placeOf = (path: readonly PropertyKey[]) =>
  path.map((part) => (typeof part === 'number' ? part : String(part)));

type Fail = (path: readonly (string | number)[], message: string) => void;
type Names = Readonly<Record<string, string | undefined>> & {
  readonly GCP_KMS_LOCATION: string;
};

/** One key for every namespace. */
function guideRules(env: Names, fail: Fail): KeyRules {
  for (const name of needed) if (env[name] === undefined) fail([name], 'is missing');
  const key = `projects/${env.GCP_PROJECT}/locations/${env.GCP_KMS_LOCATION}/keyRings/${env.GCP_KMS_KEY_RING}/cryptoKeys/${env.GCP_KMS_KEY}`;
  const parsed = cryptoKey.safeParse(key);
  if (!parsed.success && needed.every((name) => env[name] !== undefined)) {
    fail(['GCP_KMS_KEY'], `makes the name ${key}; it ${parsed.error.issues[0]?.message}`);
  }
  return new KeyRules({}, { encrypt: key, ...guideFormats(env) });
}

/**
 * The guide's own format is read as well, for histories that its `load_kms_codec` wrote. Its second one takes the
 * place of the first where it is written, and both are read only where the risk is accepted by name.
 */
function guideFormats({ KMS_FORMAT, KMS_UNSAFE }: Names): Pick<NamespaceRule, 'reads' | 'unsafe'> {
  if (KMS_UNSAFE === 'direct-with-envelope') {
    return { reads: ['envelope-v2', 'envelope', 'direct'], unsafe: [KMS_UNSAFE] };
  }
  return { reads: ['envelope-v2', KMS_FORMAT === 'envelope' ? 'envelope' : 'direct'] };
}

function fileRules(path: string, env: Names, fail: Fail) {
  if (env.GCP_KMS_KEY !== undefined) fail(['KMS_KEYS_FILE'], 'and GCP_KMS_KEY are both set; use one of them');
  if (env.KMS_UNSAFE !== undefined) {
    fail(['KMS_UNSAFE'], 'counts without KMS_KEYS_FILE only; write unsafe into the rules of the keys file');
  }
  return readKeysFile(path, (place, message) => fail(['KMS_KEYS_FILE', ...place], message));
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
