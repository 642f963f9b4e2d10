import type { ScanReport } from '@temporal-kms/codec-api';
import type { KeyRules } from '@temporal-kms/kms-codec';
import { type Command, InvalidArgumentError } from 'commander';
import { CliError } from '../cli/cli-error.ts';
import type { CliDeps } from '../cli/deps.ts';
import { loadKeyConfig, withEnvFile } from '../cli/environment.ts';
import { collect, type CommonOptions, seconds } from '../cli/options.ts';
import type { Output } from '../cli/output.ts';
import { temporalConfig, withTemporal } from '../temporal/connect.ts';
import { describeServer, type TemporalServer } from '../temporal/server.ts';
import { type ExportSource, exportSource } from './exports.ts';
import { runScan, type ScanRequest } from './run-scan.ts';
import { DEFAULT_TASK_QUEUE } from './on-temporal/contract.ts';
import { runsOnTemporal } from './on-temporal/client.ts';
import { defaultStateFolder, STATE_DEFAULT } from './state.ts';
import { EXTERNAL_STORAGE, withStorage } from '../storage/open-storage.ts';
import { type KnownObjects, StoredObjects } from './stored-objects.ts';
import { perSecond, temporalSource } from '../temporal/temporal-source.ts';

/** The options of every command that reads whole namespaces. */
export interface ReadOptions extends CommonOptions {
  readonly key?: string;
  readonly namespace?: readonly string[];
  readonly exports?: readonly string[];
  readonly state?: string;
  readonly rps: number;
  readonly settle: number;
  readonly externalStorage?: string;
}

/** The options of every command that scans. */
export interface ScanOptions extends ReadOptions {
  readonly onTemporal?: true;
  readonly taskQueue: string;
}

export const addReadOptions = (command: Command): Command =>
  command
    .option(
      '--namespace <name>',
      'namespace to scan; may be repeated (default: those configured; if a key serves every namespace, all on the server)',
      collect,
    )
    .option(
      '--exports <[namespace=]folder>',
      "files from Temporal Cloud's Workflow History Export; may be repeated",
      collect,
    )
    .option(
      '--state <folder>',
      `folder in which scans keep what they have read from closed runs ${STATE_DEFAULT}`,
    )
    .option(
      '--rps <calls>',
      'calls to Temporal, and objects to read in external storage, per second and namespace',
      rate,
      50,
    )
    .option('--settle <seconds>', "how long a new run may take to appear in Temporal's lists", seconds, 60)
    .option(EXTERNAL_STORAGE, 'file that names the external storage of each namespace');

export const addScanOptions = (command: Command): Command =>
  addReadOptions(command)
    .option('--on-temporal', 'scan runs in workflows in TEMPORAL_NAMESPACE, executed by scan workers')
    .option('--task-queue <name>', 'task queue of the scan workers', DEFAULT_TASK_QUEUE);

/**
 * Scans the namespaces that the options name.
 * @param further namespaces to scan in addition, if the options name none
 * @throws CliError
 */
export async function scan(
  options: ScanOptions,
  deps: CliDeps,
  output: Pick<Output, 'progress'>,
  further: readonly string[] = [],
): Promise<ScanReport> {
  const known: KnownObjects = new Map();
  return await withStorage(options.externalStorage, async (storage) =>
    scanWith(
      storage &&
        ((namespace, kept) =>
          new StoredObjects({ storage, namespace, limiter: perSecond(options.rps), known, kept })),
      options,
      deps,
      output,
      further,
    ),
  );
}

/** Scans like {@link scan}, but processes references to external storage with `referencesOf`. @throws CliError */
export async function scanWith(
  referencesOf: ScanRequest['referencesOf'],
  options: ReadOptions & Partial<ScanOptions>,
  deps: CliDeps,
  { progress }: Pick<Output, 'progress'>,
  further: readonly string[] = [],
): Promise<ScanReport> {
  const { kms: settings } = loadKeyConfig(deps.env, { ...options, keepsKeys: true });
  const values = withEnvFile(deps.env, options.envFile);
  const config = temporalConfig(values);
  const stateFolder = options.state ?? defaultStateFolder(values);
  const { rps, taskQueue = DEFAULT_TASK_QUEUE } = options;
  const settleMs = options.settle * 1000;
  return await withTemporal(config, async (connection, address) => {
    const server = await describeServer(connection, address, []);
    const namespaces = options.namespace ?? [
      ...namespacesToScan(settings.rules, server, config.namespace),
      ...further,
    ];
    if (!server.isListed && settings.rules.hasDefault && options.namespace === undefined)
      progress(`Temporal at ${address} does not list its namespaces: scanning ${namespaces.join(', ')}`);
    return await runScan({
      settings,
      keys: options.key === undefined ? [] : [options.key],
      server,
      namespaces: [...new Set(namespaces)],
      sourceOf: (namespace) => temporalSource(connection, namespace, perSecond(rps)),
      exportsOf: exportsByNamespace(options.exports ?? [], namespaces),
      stateFolder,
      settleMs,
      ...(options.onTemporal === true && {
        remoteRuns: (scanned) =>
          runsOnTemporal({ ...scanned, connection, home: config.namespace, taskQueue, rps, settleMs }),
      }),
      referencesOf,
      now: deps.now,
      progress,
    });
  });
}

/**
 * Returns the namespaces that the configuration names. If a key serves every namespace, adds the namespaces
 * that the server lists. If the server does not list all its namespaces, adds the application's namespace too.
 */
export function namespacesToScan(
  { namespaces, hasDefault }: Pick<KeyRules, 'namespaces' | 'hasDefault'>,
  server: Pick<TemporalServer, 'isListed' | 'namespaces'>,
  own: string,
): readonly string[] {
  if (!hasDefault) return namespaces.length > 0 ? namespaces : [own];
  const others = server.namespaces.map(({ name }) => name);
  return [...new Set([...namespaces, ...others, ...(server.isListed ? [] : [own])])];
}

function exportsByNamespace(
  wanted: readonly string[],
  namespaces: readonly string[],
): (namespace: string) => readonly ExportSource[] {
  const sources = wanted.map((text) => {
    const namespace = namespaces.find((name) => text.startsWith(`${name}=`));
    if (namespace !== undefined) return { namespace, source: exportSource(text.slice(namespace.length + 1)) };
    const [only = ''] = namespaces;
    if (namespaces.length === 1) return { namespace: only, source: exportSource(text) };
    throw new CliError('usage', `--exports ${text} must name the namespace whose histories it contains`, [
      `--exports ${only}=${text}`,
    ]);
  });
  return (namespace) => sources.filter((one) => one.namespace === namespace).map(({ source }) => source);
}

function rate(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number of calls per second, for example 50.');
}
