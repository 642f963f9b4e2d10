import type { ScanReport } from '@temporal-kms/codec-api';
import type { Values } from '@temporal-kms/config';
import type { KeyDescription, KmsSettings } from '@temporal-kms/kms-codec';
import { InvalidArgumentError, type Command } from 'commander';
import { CliError } from '../cli/cli-error.ts';
import type { CliDeps } from '../cli/deps.ts';
import { loadKeyConfig, parseKeyName, withEnvFile } from '../cli/environment.ts';
import { keyUses, servesOthers } from '../cli/key-uses.ts';
import { collect } from '../cli/options.ts';
import type { Output } from '../cli/output.ts';
import { GOOGLE_TIME, requireClock } from '../google/clock.ts';
import { addScanOptions, scan, type ScanOptions } from '../scan/scan-options.ts';
import { describeKey, withKeyService } from '../google/describe.ts';
import { temporalConfig, withTemporal } from '../temporal/connect.ts';
import { describeServer, type TemporalServer } from '../temporal/server.ts';
import type { DestroyQuestion } from './question.ts';
import { readReport } from './read-report.ts';
import { isTime, readStatement, type Statement } from './statement.ts';
import { judge, judgeWithoutScan, type Verdict } from './verdict.ts';

/** The options of the commands that decide whether a version may be destroyed. */
export interface DestroyOptions extends ScanOptions {
  readonly report?: readonly string[];
  readonly statement?: string;
  readonly maxAge: number;
  readonly notPrimarySince?: Date;
}

export const addDestroyOptions = (command: Command): Command =>
  addScanOptions(command)
    .option(
      '--report <file>',
      'decide from a report of `scan` (default: scan now); may be repeated, for several Temporal servers',
      collect,
    )
    .option('--statement <file>', 'what a person states about data that no scan can see')
    .option('--max-age <hours>', 'maximum age of the report and statement', hours, 24)
    .option(
      '--not-primary-since <time>',
      'when the version stopped being primary, from the audit log: 2030-01-31T12:00:00Z',
      time,
    );

/** The facts that are the same for all versions of a key. */
export interface Basis {
  readonly settings: KmsSettings;
  readonly key: string;
  /** The namespaces that must be scanned, whichever server has them. */
  readonly namespaces: readonly string[];
  readonly description: KeyDescription;
}

/**
 * The facts about a key, and a function that returns the question to decide for one version, with what Cloud
 * KMS and Temporal report now.
 */
interface Asked extends Basis {
  readonly questionOf: (version: number) => DestroyQuestion;
}

interface Scanned {
  readonly reports: readonly ScanReport[];
  /** Reads the key from Cloud KMS, and the namespaces from each Temporal server. @throws CliError */
  readonly ask: () => Promise<Asked>;
}

/** The facts about a key that has passed every check for which no scan is needed. */
interface Prepared extends Basis {
  /** Scans, or reads the reports that the options name. @throws CliError */
  readonly scanned: () => Promise<Scanned>;
}

/** The answer to the question whether a version may be destroyed. */
interface Answer extends Basis {
  /** The reports on which the verdict is based; null if no scan was necessary. */
  readonly reports: readonly ScanReport[] | null;
  readonly verdict: Verdict;
  /**
   * Reads everything again and decides again, for example after a person has taken time to confirm.
   * @throws CliError
   */
  readonly decideAgain: () => Promise<Verdict>;
}

/**
 * Decides whether a version may be destroyed, from reports or a new scan. Does not scan if a scan could not
 * change the answer.
 * @throws CliError
 */
export async function mayDestroy(
  version: number,
  options: DestroyOptions,
  deps: CliDeps,
  output: Output,
): Promise<Answer> {
  const { scanned, ...before } = await prepare(version, options, deps, output);
  const known = options.report === undefined ? judgeWithoutScan({ ...before, version }) : undefined;
  if (known !== undefined)
    return { ...before, reports: null, verdict: known, decideAgain: () => Promise.resolve(known) };
  const { reports, ask } = await scanned();
  const decide = async () => {
    const { questionOf, ...basis } = await ask();
    return { ...basis, verdict: judge(questionOf(version)) };
  };
  return { ...(await decide()), reports, decideAgain: async () => (await decide()).verdict };
}

/**
 * Checks everything that can be checked before a scan, because a scan may take hours: the configuration, the
 * key, the files and the clock.
 * @param wanted the number of a version that must exist
 * @throws CliError
 */
export async function prepare(
  wanted: number | undefined,
  options: DestroyOptions,
  deps: CliDeps,
  output: Pick<Output, 'progress'>,
): Promise<Prepared> {
  const before = await readBasis(options, deps);
  const { settings, key } = before;
  if (wanted !== undefined && !before.description.versions.some(({ version }) => version === wanted))
    throw new CliError('notFound', `${key} has no version ${wanted}`, [`temporal-kms keys --key ${key}`]);
  const given = options.report?.map(readReport);
  const statement = options.statement === undefined ? undefined : readStatement(options.statement);
  // If this machine's clock is behind, an old report looks new. If the clock is ahead, the waiting time after a
  // rotation seems to end early.
  const google = settings.emulatorHost === undefined ? GOOGLE_TIME : undefined;
  await requireClock(google, deps.now, output.progress);
  const { notPrimarySince, maxAge } = options;
  return {
    ...before,
    scanned: async () => {
      const stated = statement?.clusters.filter(({ environment }) => environment === undefined) ?? [];
      const further = stated.flatMap(({ namespaces = [] }) => namespaces);
      const reports = given ?? [await scan(options, deps, output, further)];
      const ask = async (): Promise<Asked> => {
        const names = [...before.namespaces, ...reports.flatMap((one) => one.namespaces.map(nameOf))];
        const servers = await askServers(statement, names, withEnvFile(deps.env, options.envFile));
        // Reads the key after the scan, so that a version that became primary during the scan counts as
        // primary.
        const basis = await readBasis(options, deps);
        return {
          ...basis,
          questionOf: (version) => ({
            ...basis,
            version,
            reports,
            servers,
            statement,
            hasOtherNamespaces: servesOthers(basis.settings.rules, basis.key),
            ...(notPrimarySince === undefined ? {} : { notPrimarySince }),
            maxAgeMs: maxAge * 3_600_000,
            now: deps.now(),
          }),
        };
      };
      return { reports, ask };
    },
  };
}

const nameOf = ({ namespace }: ScanReport['namespaces'][number]): string => namespace;

/**
 * Describes the application's Temporal server, and each server for which the statement names a file with
 * variables.
 * @throws CliError if one of the servers does not answer
 */
async function askServers(
  statement: Statement | undefined,
  names: readonly string[],
  own: Values,
): Promise<TemporalServer[]> {
  const clusters = statement?.clusters ?? [];
  const files = clusters.flatMap(({ environment }) => (environment === undefined ? [] : [environment]));
  // The client for another server gets only the variables in that server's file, not the credentials for the
  // application's server.
  const environments = [own, ...[...new Set(files)].map((file) => withEnvFile({}, file))];
  const all = [...names, ...clusters.flatMap(({ namespaces = [] }) => namespaces)];
  const servers: TemporalServer[] = [];
  for (const values of environments)
    servers.push(
      // oxlint-disable-next-line no-await-in-loop -- There are only a few servers.
      await withTemporal(temporalConfig(values), (connection, address) =>
        describeServer(connection, address, all),
      ),
    );
  return servers;
}

/** Reads the configuration, and describes its key. @throws CliError */
export async function readBasis(options: DestroyOptions, deps: CliDeps): Promise<Basis> {
  const { kms: settings } = loadKeyConfig(deps.env, { ...options, keepsKeys: true });
  const key = keyOf(settings, options.key);
  const description = await withKeyService(settings.emulatorHost, (service) => describeKey(service, key));
  checkName(key, description.name);
  return {
    settings,
    key,
    // Includes namespaces that do not use the key, because they may accept messages of namespaces that use the key.
    namespaces: [...new Set([...settings.rules.namespaces, ...(options.namespace ?? [])])],
    description,
  };
}

/** @throws CliError if the configuration does not determine the key */
function keyOf({ rules }: KmsSettings, wanted: string | undefined): string {
  const keys = keyUses(rules);
  const [first] = keys;
  const key = wanted ?? (keys.length === 1 ? first?.key : undefined);
  if (key !== undefined) {
    checkName(key);
    return key;
  }
  throw new CliError(
    'usage',
    keys.length === 0 ? 'The configuration has no crypto key' : 'The configuration has several crypto keys',
    keys.map((one) => `--key ${one.key}`),
  );
}

/**
 * Rejects a key name other than the one that programs use for the key. The headers of messages contain a hash of the
 * key's name, so a scan would not find messages that were written under another name.
 * @throws CliError
 */
function checkName(key: string, known = key): void {
  const { project } = parseKeyName(key);
  if (/^\d+$/.test(project))
    throw new CliError('configuration', `${key} must name the project by id, not by number`, [
      `gcloud projects describe ${project} --format='value(projectId)'`,
    ]);
  if (known !== key)
    throw new CliError('configuration', `Cloud KMS names the key ${key} differently`, [`--key ${known}`]);
}

/** Parses the number of a key version. */
export function versionNumber(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be the number of a key version, for example 3.');
}

function hours(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number of hours, for example 24.');
}

function time(text: string): Date {
  if (isTime(text)) return new Date(text);
  throw new InvalidArgumentError('It must be a time in UTC, for example 2030-01-31T12:00:00Z.');
}
