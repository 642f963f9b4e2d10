import { z } from 'zod';
import { parseBranchKeys } from '../branch-keys/setting.ts';
import type { BranchKeyStore } from '../branch-keys/store.ts';
import { KmsCodec } from '../codec.ts';
import { KmsConfigurationError } from '../configuration-error.ts';
import type { KmsCodecOptions } from '../codec-options.ts';
import { exposingSettings } from '../diagnostics.ts';
import { CloudKms } from '../keys/cloud-kms.ts';
import { emulatorProblem } from '../keys/emulator-options.ts';
import { KeyRules, type NamespaceRule, unsafeSettings } from '../keys/key-rules.ts';
import { cryptoKey, readKeysFile } from './keys-file.ts';

/**
 * The parsed and checked settings of a codec, from the environment variables of Temporal's Cloud KMS guide or
 * from a keys file.
 */
export interface KmsSettings {
  readonly rules: KeyRules;
  /** SHA-256 of the keys file, in hex. Identifies the version of the file that is in use. */
  readonly keysFileDigest?: string | undefined;
  readonly emulatorHost: string | undefined;
  readonly format: KmsCodecOptions['format'];
  readonly compression: KmsCodecOptions['compression'];
  readonly bindWorkflow: boolean;
  /**
   * Returns the store in which processes share branch keys, or undefined if none is configured. Sends no
   * request.
   */
  readonly openBranchKeyStore?: () => BranchKeyStore | undefined;
}

const needed = ['GCP_PROJECT', 'GCP_KMS_KEY_RING', 'GCP_KMS_KEY'] as const;

const variables = z.looseObject({
  GCP_PROJECT: z.string().min(1).optional(),
  GCP_KMS_LOCATION: z.string().min(1).optional(),
  GCP_KMS_KEY_RING: z.string().min(1).optional(),
  GCP_KMS_KEY: z.string().min(1).optional(),
  KMS_KEYS_FILE: z.string().min(1).optional(),
  KMS_EMULATOR_HOST: z.string().optional(),
  KMS_FORMAT: z.enum(['envelope-v2', 'envelope', 'direct']).optional(),
  KMS_UNSAFE: z.enum(unsafeSettings).optional(),
  KMS_COMPRESSION: z.enum(['none', 'zstd']).optional(),
  KMS_BIND_WORKFLOW: z.enum(['true', 'false']).optional(),
  KMS_BRANCH_KEYS: z
    .string()
    .transform((text, context) => {
      const open = parseBranchKeys(text);
      if (open) return open;
      context.addIssue('must be none, file:/absolute/path or gs://BUCKET/PREFIX');
      return z.NEVER;
    })
    .optional(),
});

/**
 * A schema for the environment variables: the guide's variables or a keys file, and the settings for writing
 * payloads. Each issue's path starts with the variable's name. For a mistake in a keys file, the location in
 * the file follows. Reports all issues together.
 */
export const kmsEnvironment: z.ZodType<KmsSettings> = z
  // This is not a zod record, because process.env is not a plain object.
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
    const { KMS_EMULATOR_HOST: emulator } = env;
    const emulated = emulator === undefined ? undefined : emulatorProblem(emulator, env);
    if (emulated !== undefined) fail(['KMS_EMULATOR_HOST'], emulated);
    for (const { setting, problem } of exposingSettings({ env })) fail([setting], problem);
    const { KMS_EMULATOR_HOST, KMS_FORMAT, KMS_COMPRESSION, KMS_BIND_WORKFLOW, KMS_BRANCH_KEYS } =
      checked.data ?? {};
    return {
      rules,
      keysFileDigest: file?.digest,
      emulatorHost: KMS_EMULATOR_HOST,
      format: KMS_FORMAT,
      compression: KMS_COMPRESSION === 'zstd' ? 'zstd' : undefined,
      bindWorkflow: KMS_BIND_WORKFLOW === 'true',
      ...(KMS_BRANCH_KEYS && { openBranchKeyStore: KMS_BRANCH_KEYS }),
    };
  });

const placeOf = (path: readonly PropertyKey[]) =>
  path.map((part) => (typeof part === 'number' ? part : String(part)));

type Fail = (path: readonly (string | number)[], message: string) => void;
type Names = Readonly<Record<string, string | undefined>> & { readonly GCP_KMS_LOCATION: string };

/** Returns rules that use the same key for every namespace. */
function guideRules(env: Names, fail: Fail): KeyRules {
  for (const name of needed) if (env[name] === undefined) fail([name], 'is missing');
  const key = `projects/${env.GCP_PROJECT}/locations/${env.GCP_KMS_LOCATION}/keyRings/${env.GCP_KMS_KEY_RING}/cryptoKeys/${env.GCP_KMS_KEY}`;
  const parsed = cryptoKey.safeParse(key);
  if (!parsed.success && needed.every((name) => env[name] !== undefined)) {
    fail(['GCP_KMS_KEY'], `results in the key name ${key}, which ${parsed.error.issues[0]?.message}`);
  }
  return new KeyRules({}, { encrypt: key, ...guideFormats(env) });
}

/**
 * Returns the formats to read: `envelope-v2`, and one format for histories that the guide's `load_kms_codec`
 * wrote. This format is `envelope` if `KMS_FORMAT` is `envelope`, and `direct` otherwise. Returns both only
 * if `KMS_UNSAFE` accepts the risk.
 */
function guideFormats({ KMS_FORMAT, KMS_UNSAFE }: Names): Pick<NamespaceRule, 'reads' | 'unsafe'> {
  if (KMS_UNSAFE === 'direct-with-envelope') {
    return { reads: ['envelope-v2', 'envelope', 'direct'], unsafe: [KMS_UNSAFE] };
  }
  return { reads: ['envelope-v2', KMS_FORMAT === 'envelope' ? 'envelope' : 'direct'] };
}

function fileRules(path: string, env: Names, fail: Fail) {
  if (env.GCP_KMS_KEY !== undefined)
    fail(['KMS_KEYS_FILE'], 'and GCP_KMS_KEY are both set; unset one of them');
  if (env.KMS_UNSAFE !== undefined) {
    fail(['KMS_UNSAFE'], "has no effect with KMS_KEYS_FILE; write unsafe into the keys file's rules");
  }
  return readKeysFile(path, (place, message) => fail(['KMS_KEYS_FILE', ...place], message));
}

/** The library's variables that other modules read. */
const readElsewhere = ['KMS_ALLOW_DIAGNOSTICS', 'KMS_EMULATOR_IN_PRODUCTION'];

/**
 * Warns about misspelt optional variables, such as KMS_BIND_WORKFLOWS, because these have no effect.
 */
function warnOfUnknownVariables(env: Readonly<Record<string, string | undefined>>): void {
  const known = new Set([...Object.keys(variables.shape), ...readElsewhere]);
  const unknown = Object.keys(env).filter(
    (name) => /^(GCP_)?KMS_/.test(name) && env[name] && !known.has(name),
  );
  if (unknown.length === 0) return;
  process.emitWarning(
    `Unknown variables, which have no effect: ${unknown.toSorted().join(', ')}. Check their spelling.`,
    { code: 'TEMPORAL_KMS_UNKNOWN_VARIABLE' },
  );
}

/** Options that the environment does not contain. */
export type KmsCodecExtras = Pick<
  KmsCodecOptions,
  'namespace' | 'observer' | 'limits' | 'ignoreContext' | 'innerCodecs' | 'waitMs'
>;

/**
 * Creates a codec with Google's client. Call `warm` before the application accepts traffic, and `close` when
 * the application ends.
 */
export function createKmsCodec(settings: KmsSettings, extras: KmsCodecExtras = {}): KmsCodec {
  const { rules, emulatorHost, format, compression, bindWorkflow, openBranchKeyStore } = settings;
  const keyService = new CloudKms({ emulatorHost, ...(extras.observer && { observer: extras.observer }) });
  const branchKeyStore = openBranchKeyStore?.();
  return new KmsCodec({ rules, keyService, format, compression, bindWorkflow, branchKeyStore, ...extras });
}

/**
 * Creates the codec that the environment describes, as the guide's `load_kms_codec` does. Emits the process warning
 * `TEMPORAL_KMS_UNKNOWN_VARIABLE` if unknown variables with the prefix `KMS_` or `GCP_KMS_` are set.
 * @throws KmsConfigurationError whose message lists every missing or wrong variable
 */
export function loadKmsCodec(
  options: KmsCodecExtras & { readonly env?: Record<string, string | undefined> } = {},
): KmsCodec {
  const { env = process.env, ...extras } = options;
  const settings = kmsEnvironment.safeParse(env);
  if (!settings.success) {
    const mistakes = settings.error.issues.map(({ path, message }) => `  ${path.join('.')} ${message}`);
    throw new KmsConfigurationError(`The KMS codec's environment is wrong:\n${mistakes.join('\n')}`);
  }
  warnOfUnknownVariables(env);
  const namespace = extras.namespace ?? env['TEMPORAL_NAMESPACE'];
  return createKmsCodec(settings.data, { ...extras, ...(namespace !== undefined && { namespace }) });
}
