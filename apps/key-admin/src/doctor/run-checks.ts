import type { CodecServerConfig, Values } from '@temporal-kms/config';
import { KmsCodecError } from '@temporal-kms/kms-codec';
import { CliError } from '../cli/cli-error.ts';
import { keyUses } from '../cli/key-uses.ts';
import type { Output } from '../cli/output.ts';
import { connectGoogle, type GoogleClients } from '../google/client.ts';
import { quote } from '../cli/quote.ts';
import { describeKey, withKeyService } from '../google/describe.ts';
import { checkBranchKeyStore } from './branch-key-store.ts';
import { checkClock, GOOGLE_TIME } from '../google/clock.ts';
import { checkCodecServer, type CodecServerTarget } from './codec-server.ts';
import { type Finding, findings } from '../cli/finding.ts';
import { type Caller, checkKeyState, checkPermissions, type KeyAccess } from './keys.ts';
import { checkDecryption, checkRoundTrip, type RoundTrip } from './round-trip.ts';
import { checkStorage } from './storage.ts';
import { checkTemporal } from './temporal.ts';
import { type AppConfig, type AppName, checkVariables } from './variables.ts';

interface CheckOptions {
  readonly app: AppName;
  readonly namespace?: string;
  readonly codecUrl?: string;
  readonly origin?: readonly string[];
  readonly justification?: string;
}

export interface Checks {
  readonly options: CheckOptions;
  readonly values: Values;
  readonly token: string | undefined;
  readonly now: () => Date;
  readonly output: Pick<Output, 'progress'>;
}

const credentials = findings('credentials');
const permissions = findings('permissions');

/** Yields the finding of each check as soon as the check ends. */
export async function* runChecks(checks: Checks): AsyncGenerator<Finding, void> {
  const { options, values, now, output } = checks;
  const { config, found } = checkVariables(options.app, values);
  yield* found;
  if (config === undefined) return;
  const emulatorHost = config.kms.emulatorHost;
  if (config.app === 'codec-server') yield* checkStorage(config.codecServer?.storageFile);
  yield await checkClock(emulatorHost === undefined ? GOOGLE_TIME : undefined, now);

  let google: GoogleClients | undefined;
  try {
    google = await connectGoogle(emulatorHost, output);
    const email = await google.identity();
    yield emulatorHost === undefined
      ? credentials.ok(`Google's credentials are available${email === undefined ? '' : `: ${email}`}`)
      : credentials.skipped(`the KMS emulator at ${emulatorHost} needs no credentials; it protects nothing`);
    yield* checkKeys(checks, config, google, { app: config.app, email });
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const { failed } = google === undefined ? credentials : permissions;
    const where =
      emulatorHost === undefined ? 'curl -I https://cloudkms.googleapis.com/' : 'unset KMS_EMULATOR_HOST';
    yield failed(error.message, ...error.fix, ...(error.exit === 'unavailable' ? [where] : []));
  } finally {
    await google?.close();
  }
}

async function* checkKeys(
  checks: Checks,
  config: AppConfig,
  google: GoogleClients,
  caller: Caller,
): AsyncGenerator<Finding, void> {
  const { options, now } = checks;
  const { kms } = config;
  const access = new Map<string, KeyAccess>();
  const uses = keyUses(kms.rules);
  const service = (key: string) => withKeyService(kms.emulatorHost, (one) => describeKey(one, key));
  for (const use of uses) {
    const checked = await checkPermissions(google, caller, use);
    access.set(use.key, checked.access);
    yield* checked.found;
    yield* await checkKeyState(service, use, checked.access, now());
  }
  const samples = new Map<string, RoundTrip['sample']>();
  const own = ownNamespace(checks, config);
  const namespaces = [
    ...new Set([...(own === undefined ? [] : [own]), ...(options.namespace ? [] : kms.rules.namespaces)]),
  ];
  for (const namespace of namespaces) {
    const trip = await roundTrip(config, caller, namespace, access, checks.values['KMS_KEYS_FILE']);
    samples.set(namespace, trip.sample);
    yield* trip.found;
  }
  yield await checkBranchKeyStore(kms, {
    name: checks.values['KMS_BRANCH_KEYS'] ?? 'none',
    writes: [...access.values()].some(({ encrypts }) => encrypts),
  });
  yield* await checkTemporal(config.temporal, own, namespaces);
  yield* await checkServer(checks, config, own ?? namespaces[0] ?? config.temporal.namespace, samples);
}

/**
 * Returns the namespace that the application needs. A codec server with a keys file serves the namespaces of
 * its requests, so it needs no namespace unless an option or a variable names one.
 */
function ownNamespace({ options, values }: Checks, { app, kms, temporal }: AppConfig): string | undefined {
  if (options.namespace !== undefined) return options.namespace;
  const needsNone =
    app === 'codec-server' && !values['TEMPORAL_NAMESPACE'] && kms.rules.namespaces.length > 0;
  return needsNone ? undefined : temporal.namespace;
}

async function roundTrip(
  { kms }: AppConfig,
  caller: Caller,
  namespace: string,
  access: ReadonlyMap<string, KeyAccess>,
  keysFile = 'keys.yaml',
): Promise<RoundTrip> {
  const { failed } = findings('round trip');
  try {
    const { encrypt, keys } = kms.rules.resolve(namespace);
    if (encrypt !== undefined && access.get(encrypt)?.encrypts)
      return await checkRoundTrip(caller, kms, namespace);
    const found = await withKeyService(kms.emulatorHost, async (service) => {
      const all: Finding[] = [];
      for (const key of keys) all.push(...(await checkDecryption(caller, service, key)));
      return all;
    });
    return { found };
  } catch (error) {
    if (!(error instanceof KmsCodecError)) throw error;
    const named = kms.rules.namespaces.join(', ') || 'no namespace';
    const text = `${error.message}. ${keysFile} names ${named}`;
    return {
      found: [
        failed(
          text,
          `$EDITOR ${quote(keysFile)}`,
          `export TEMPORAL_NAMESPACE=${kms.rules.namespaces[0] ?? '…'}`,
        ),
      ],
    };
  }
}

async function checkServer(
  { options, token }: Checks,
  { codecServer }: AppConfig,
  namespace: string,
  samples: ReadonlyMap<string, RoundTrip['sample']>,
): Promise<readonly Finding[]> {
  const url = options.codecUrl ?? (codecServer && ownUrl(codecServer));
  if (url === undefined) {
    return [
      findings('codec server').skipped(
        'give the URL of the codec server to check it',
        '--codec-url https://codec.example.com',
      ),
    ];
  }
  if (!URL.canParse(url)) throw new CliError('usage', `${url} of --codec-url is not a URL`);
  const target: CodecServerTarget = {
    url,
    isNamed: options.codecUrl !== undefined,
    origins: options.origin ?? codecServer?.corsOrigins,
    namespace,
    token,
    justification: options.justification,
    sample: samples.get(namespace),
  };
  return checkCodecServer(target);
}

/** Returns the URL at which a client on this machine reaches a codec server with this configuration. */
function ownUrl({ host, port, tls, pathPrefix }: CodecServerConfig): string {
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `${tls ? 'https' : 'http'}://${name.includes(':') ? `[${name}]` : name}:${port}${pathPrefix}`;
}
