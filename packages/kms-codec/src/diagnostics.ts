import { url as inspectorUrl } from 'node:inspector';
import { isMainThread } from 'node:worker_threads';
import { KmsConfigurationError } from './configuration-error.ts';

/** A process setting that makes Node or Google's client print or export data keys, tokens or plaintext. */
export interface ExposingSetting {
  /** The name of a variable, or "Node's command line". */
  readonly setting: string;
  /** Why the setting is refused, and what to do. */
  readonly problem: string;
}

export interface DiagnosticsOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Node's options, as in `process.execArgv`. */
  readonly execArgv?: readonly string[];
  /** `host:port` of an emulator. `KMS_ALLOW_DIAGNOSTICS=true` has an effect only with an emulator. */
  readonly emulatorHost?: string | undefined;
}

/** Variables that must not be set, and their effects. */
const variables = {
  GOOGLE_SDK_NODE_LOGGING: 'it makes @google-cloud/kms print plaintext data keys',
  NODE_DEBUG: 'it makes Node print plaintext data keys (stream) and tokens (net)',
} as const;

/** Prefixes of Node options that must not be used, and their effects. */
const nodeOptions = {
  '--inspect': 'it opens an inspector, which exports keys and plaintext',
  '--heapsnapshot': 'it writes plaintext to a file',
  '--heap-snapshot-on': 'it writes plaintext to a file',
  '--experimental-config-file': 'it reads more options from a file, which the library does not check',
  '--experimental-default-config-file': 'it reads more options from a file, which the library does not check',
  '--report-on': 'it writes the environment and error messages to a file',
  '--report-uncaught': 'it writes the environment and error messages to a file',
  '--tls-keylog': 'it writes TLS session keys to a file',
  '--trace-tls': 'it prints TLS traffic',
  '--abort-on-uncaught': 'it makes the process dump its memory',
} as const;

const NODE_OPTIONS = 'NODE_OPTIONS';
const TLS_CHECK = 'NODE_TLS_REJECT_UNAUTHORIZED';
const COMMAND_LINE = "Node's command line";

/** Returns all process settings that would expose data keys, tokens or plaintext (docs/security-model.md). */
export function exposingSettings(options: DiagnosticsOptions = {}): ExposingSetting[] {
  const { env = process.env, execArgv = process.execArgv } = options;
  const emulatorHost = options.emulatorHost ?? env['KMS_EMULATOR_HOST'];
  const found: ExposingSetting[] = [];
  if (env[TLS_CHECK] === '0') {
    found.push({
      setting: TLS_CHECK,
      problem:
        'must not be 0: Node would trust any certificate of Cloud KMS, Temporal or an issuer. Unset it.',
    });
  }
  if (emulatorHost && env['KMS_ALLOW_DIAGNOSTICS'] === 'true') return found;
  for (const [setting, effect] of Object.entries(variables)) {
    if (env[setting]) found.push({ setting, problem: `must not be set: ${effect}. Unset it.` });
  }
  // Searches for prefixes, which is safe because no option has a value that looks like another option.
  const inVariable = splitOptions(env[NODE_OPTIONS] ?? '');
  for (const [setting, given] of [[NODE_OPTIONS, inVariable] as const, [COMMAND_LINE, execArgv] as const]) {
    for (const [option, effect] of Object.entries(nodeOptions)) {
      const used = given.find((one) => one.replaceAll('_', '-').startsWith(option));
      if (used !== undefined) {
        found.push({ setting, problem: `must not have ${nameOf(used)}: ${effect}. Remove it.` });
      }
    }
  }
  if (inspectorUrl() !== undefined) {
    const problem = `must not be open: ${nodeOptions['--inspect']}. Start the process again, with --disable-sigusr1.`;
    found.push({ setting: "Node's inspector", problem });
  }
  return found;
}

/**
 * Splits NODE_OPTIONS as Node does: at spaces outside quotation marks, which can begin anywhere. Inside
 * quotation marks, a backslash escapes the next character.
 */
function splitOptions(text: string): string[] {
  const options = [''];
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    let character = text.charAt(at);
    if (character === '"') {
      isQuoted = !isQuoted;
    } else if (character === ' ' && !isQuoted) {
      options.push('');
    } else {
      if (character === '\\' && isQuoted) character = text.charAt((at += 1));
      options.push((options.pop() ?? '') + character);
    }
  }
  return options;
}

/** Returns an option's name without its value, which may be a file name. */
const nameOf = (option: string): string => option.split('=', 1)[0] ?? option;

/**
 * Throws if the process's settings would expose data keys, and prevents SIGUSR1 from opening the inspector
 * later.
 * @throws KmsConfigurationError that lists every such setting, why it is refused and what to do
 */
export function refuseDiagnostics(options: DiagnosticsOptions = {}): void {
  const found = exposingSettings(options);
  if (found.length > 0) {
    const lines = found.map(({ setting, problem }) => `  ${setting} ${problem}`);
    throw new KmsConfigurationError(`Data keys would be exposed:\n${lines.join('\n')}`);
  }
  guardInspectorSignal();
}

let isGuarded = false;

/**
 * Replaces Node's SIGUSR1 listener, which opens the inspector. Before this call, only `--disable-sigusr1`
 * prevents Node from opening the inspector.
 */
function guardInspectorSignal(): void {
  if (isGuarded || !isMainThread || process.platform === 'win32') return;
  isGuarded = true;
  process.on('SIGUSR1', () => {
    process.emitWarning('SIGUSR1 ignored: Node would open an inspector, which exports keys and plaintext', {
      type: 'SecurityWarning',
      code: 'TEMPORAL_KMS_INSPECTOR_REFUSED',
    });
  });
}
