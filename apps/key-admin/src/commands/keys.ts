import type { KeyDescription } from '@temporal-kms/kms-codec';
import type { DefineCommand } from '../cli/deps.ts';
import { loadKeyConfig } from '../cli/environment.ts';
import { type KeyUse, keyUses, useText } from '../cli/key-uses.ts';
import { addCommonOptions, addKeyOption, type CommonOptions } from '../cli/options.ts';
import { columns, createOutput, duration, timestamp, typeLines } from '../cli/output.ts';
import { describeKey, withKeyService } from '../google/describe.ts';
import { versionLine } from '../google/gcloud.ts';
import { findProblems, type Problem } from '../keys/problems.ts';

const examples = `
Examples:
  $ temporal-kms keys
  $ temporal-kms keys --env-file worker.env
  $ temporal-kms keys --json | jq '.keys[].versions[] | select(.state != "ENABLED")'

Needs roles/cloudkms.viewer on each key. Exits with 1 if a key that encrypts has a problem.`;

interface KeysOptions extends CommonOptions {
  readonly key?: string;
}

/** `keys`: shows a configuration's crypto keys with their versions, states, ages and dates. */
export const define: DefineCommand = (command, deps, exit) => {
  command.addHelpText('after', examples);
  addKeyOption(addCommonOptions(command)).action(async (options: KeysOptions) => {
    const output = createOutput(deps, options.json === true);
    const { kms } = loadKeyConfig(deps.env, options);
    const now = deps.now();
    const keys = await withKeyService(kms.emulatorHost, async (service) => {
      const found: KeyReport[] = [];
      for (const use of keyUses(kms.rules)) {
        output.progress(`Reading ${use.key}`);
        // oxlint-disable-next-line no-await-in-loop -- Cloud KMS has a small quota for reads.
        found.push(toReport(use, await describeKey(service, use.key), now));
      }
      return found;
    });
    const { deny } = kms.rules;
    output.result({ keys, deny }, () => [
      ...keys.flatMap((key, index) => [...(index > 0 ? [''] : []), ...linesOf(key, now)]),
      ...deny.flatMap((hash, index) => [...(index > 0 ? [] : ['', 'denied branch keys']), `  ${hash}`]),
    ]);
    if (keys.some(({ problems }) => problems.length > 0)) exit('failed');
  });
};

interface VersionReport {
  readonly version: number;
  readonly state: string;
  readonly primary: boolean;
  readonly created: string | null;
  readonly ageSeconds: number | null;
  /** The time until which the version can be restored. Afterwards, Cloud KMS destroys the version. */
  readonly restoreBy: string | null;
}

interface KeyReport {
  readonly key: string;
  readonly use: Omit<KeyUse, 'key'>;
  readonly protectionLevel: string | null;
  /** The version under which Cloud KMS encrypts. */
  readonly primary: number | null;
  readonly rotationPeriodSeconds: number | null;
  readonly nextRotation: string | null;
  /** The versions, with the latest first. */
  readonly versions: readonly VersionReport[];
  readonly problems: readonly Problem[];
}

function toReport({ key, ...use }: KeyUse, description: KeyDescription, now: Date): KeyReport {
  const { primary, nextRotation } = description;
  return {
    key,
    use,
    protectionLevel: description.protectionLevel ?? null,
    primary: primary ?? null,
    rotationPeriodSeconds: description.rotationPeriodSeconds ?? null,
    nextRotation: nextRotation ? timestamp(nextRotation) : null,
    versions: description.versions
      .map(({ version, state, created, destroyTime }) => ({
        version,
        state,
        primary: version === primary,
        created: created ? timestamp(created) : null,
        ageSeconds: created ? Math.max(0, Math.floor((now.getTime() - created.getTime()) / 1000)) : null,
        restoreBy: state === 'DESTROY_SCHEDULED' && destroyTime ? timestamp(destroyTime) : null,
      }))
      .toSorted((one, other) => other.version - one.version),
    problems: use.encryptsFor.length > 0 ? findProblems(description, now) : [],
  };
}

function linesOf(report: KeyReport, now: Date): string[] {
  const { key, versions, problems } = report;
  const rows = versions.map((version) => [
    String(version.version),
    version.primary ? `${version.state}, primary: encrypts` : version.state,
    version.created ?? '',
    version.ageSeconds === null ? '' : duration(version.ageSeconds * 1000),
    version.restoreBy === null ? '' : `restore by ${version.restoreBy} (in ${until(version.restoreBy, now)})`,
  ]);
  return [
    key,
    `  use       ${useText({ key, ...report.use })}`,
    `  level     ${report.protectionLevel ?? 'unknown'}`,
    `  rotation  ${rotationText(report, now)}`,
    ...columns([['VERSION', 'STATE', 'CREATED', 'AGE', ''], ...rows]).map((line) => `  ${line}`),
    ...versions
      .filter(({ restoreBy }) => restoreBy !== null)
      .flatMap(({ version }) => [
        `  to restore version ${version}`,
        ...typeLines([versionLine('restore', key, version)]),
      ]),
    ...problems.flatMap(({ message, fix }) => [`  PROBLEM: ${message}`, ...typeLines(fix)]),
  ];
}

function rotationText({ rotationPeriodSeconds, nextRotation }: KeyReport, now: Date): string {
  if (nextRotation === null) return 'none: only by hand (temporal-kms rotate)';
  const next = `next on ${nextRotation} (in ${until(nextRotation, now)})`;
  return rotationPeriodSeconds === null ? next : `every ${duration(rotationPeriodSeconds * 1000)}, ${next}`;
}

const until = (time: string, now: Date): string => duration(new Date(time).getTime() - now.getTime());
