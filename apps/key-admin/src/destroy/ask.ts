import { codeOf } from '@temporal-kms/kms-codec/error-details';
import { scanReport, type ScanReport } from '@temporal-kms/codec-api';
import type { KeyDescription, KmsSettings } from '@temporal-kms/kms-codec';
import { readRegularFile } from '@temporal-kms/kms-codec/strict-yaml';
import { InvalidArgumentError, type Command } from 'commander';
import { CliError } from '../cli/cli-error.ts';
import type { CliDeps } from '../cli/deps.ts';
import { loadKeyConfig, parseKeyName, withEnvFile } from '../cli/environment.ts';
import { keyUses } from '../cli/key-uses.ts';
import type { Output } from '../cli/output.ts';
import { GOOGLE_TIME, requireClock } from '../doctor/clock.ts';
import { addScanOptions, namespacesToScan, scan, type ScanOptions } from '../scan/scan-options.ts';
import { describeKey, withKeyService } from '../google/describe.ts';
import { temporalConfig } from '../temporal/connect.ts';
import { type DestroyQuestion, judge, judgeWithoutScan, type Verdict } from './verdict.ts';

/** The options of the commands that decide whether a version may be destroyed. */
export interface DestroyOptions extends ScanOptions {
  readonly report?: string;
  readonly maxAge: number;
  readonly notPrimarySince?: Date;
}

export const addDestroyOptions = (command: Command): Command =>
  addScanOptions(command)
    .option('--report <file>', 'decide from a report of `scan` (default: scan now)')
    .option('--max-age <hours>', 'the oldest report that counts', hours, 24)
    .option(
      '--not-primary-since <time>',
      'when the version stopped being primary, from the audit log: 2030-01-31T12:00:00Z',
      time,
    );

/** What the questions about the versions of a key have in common. */
export interface Basis {
  readonly settings: KmsSettings;
  readonly key: string;
  /** The namespaces that must be scanned. */
  readonly namespaces: readonly string[];
  readonly description: KeyDescription;
}

/** A scan, and the questions that it answers. */
interface Scanned extends Basis {
  readonly report: ScanReport;
  readonly questionOf: (version: number) => DestroyQuestion;
}

/** A basis, and what is left to do: everything that can be checked without a scan has been checked. */
interface Prepared extends Basis {
  /** Scans, or takes the report that the options name, and describes the key again. @throws CliError */
  readonly scanned: () => Promise<Scanned>;
}

/** The question, and its answer. */
interface Answer extends Basis {
  /** Null: no scan was necessary. */
  readonly report: ScanReport | null;
  readonly verdict: Verdict;
  /** Describes the key again and decides again, for example after a person has taken time to confirm. @throws CliError */
  readonly decideAgain: () => Promise<Verdict>;
}

/**
 * Decides whether a version may be destroyed, from a report or a new scan. It does not scan if the result could not change the
 * answer.
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
    return { ...before, report: null, verdict: known, decideAgain: () => Promise.resolve(known) };
  const { questionOf, ...basis } = await scanned();
  const { settings, key } = basis;
  return {
    ...basis,
    verdict: judge(questionOf(version)),
    decideAgain: async () => {
      const description = await withKeyService(settings.emulatorHost, (service) => describeKey(service, key));
      return judge({ ...questionOf(version), description });
    },
  };
}

/**
 * Checks everything that does not need a scan, which may take hours: the configuration, the key, the report and the clock.
 * @param wanted a version that must exist
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
  const given = options.report === undefined ? undefined : readReport(options.report);
  // With a clock that is behind, an old report would look new; one that is ahead would end the waiting time early.
  const google = settings.emulatorHost === undefined ? GOOGLE_TIME : undefined;
  await requireClock(google, deps.now, output.progress);
  const { notPrimarySince, maxAge } = options;
  return {
    ...before,
    scanned: async () => {
      const report = given ?? (await scan(options, deps, output));
      // After the scan, so that a version that became primary meanwhile is one.
      const basis = await readBasis(options, deps);
      const { namespaces, description } = basis;
      return {
        ...basis,
        report,
        questionOf: (version) => ({
          key,
          version,
          description,
          report,
          namespaces,
          hasOtherNamespaces: settings.rules.hasDefault,
          ...(notPrimarySince === undefined ? {} : { notPrimarySince }),
          maxAgeMs: maxAge * 3_600_000,
          now: deps.now(),
        }),
      };
    },
  };
}

/** Reads the configuration, and describes its key. @throws CliError */
export async function readBasis(options: DestroyOptions, deps: CliDeps): Promise<Basis> {
  const { kms: settings } = loadKeyConfig(deps.env, { ...options, keepsKeys: true });
  const key = keyOf(settings, options.key);
  const description = await withKeyService(settings.emulatorHost, (service) => describeKey(service, key));
  checkName(key, description.name);
  const own = temporalConfig(withEnvFile(deps.env, options.envFile)).namespace;
  return {
    settings,
    key,
    // Also namespaces without the key: they may accept messages of others.
    namespaces: [
      ...new Set([...settings.rules.namespaces, ...namespacesToScan(options.namespace, settings, own)]),
    ],
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
 * Refuses a name that is not the one that programs use. The headers of messages contain a hash of the name, so a scan would
 * find none of the messages that were written under another name of the key.
 * @throws CliError
 */
function checkName(key: string, known = key): void {
  const { project } = parseKeyName(key);
  if (/^\d+$/.test(project))
    throw new CliError('configuration', `${key} must name the project by its id, not by its number`, [
      `gcloud projects describe ${project} --format='value(projectId)'`,
    ]);
  if (known !== key)
    throw new CliError('configuration', `Cloud KMS names the key ${key} differently`, [`--key ${known}`]);
}

/** Bytes of the largest report that is read. */
const MAX_REPORT_BYTES = 64 * 1024 * 1024;

function readReport(file: string): ScanReport {
  let content: unknown;
  try {
    content = JSON.parse(readRegularFile(file, MAX_REPORT_BYTES).toString('utf8'));
  } catch (error) {
    const fix = [`temporal-kms scan --out ${file}`];
    if (codeOf(error) === 'ENOENT')
      throw new CliError('notFound', `The report ${file} does not exist`, fix, error);
    // Node's messages about JSON quote the text.
    const reason =
      error instanceof SyntaxError || !(error instanceof Error) ? 'it is not JSON' : error.message;
    throw new CliError('data', `The report ${file} cannot be read: ${reason}`, fix, error);
  }
  const report = scanReport.safeParse(content);
  if (report.success) return report.data;
  throw new CliError('data', `${file} is not a report of this version of scan`, [
    `temporal-kms scan --out ${file}`,
  ]);
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
  const parsed = new Date(text);
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z$/.test(text) && !Number.isNaN(parsed.getTime()))
    return parsed;
  throw new InvalidArgumentError('It must be a time in UTC, for example 2030-01-31T12:00:00Z.');
}
