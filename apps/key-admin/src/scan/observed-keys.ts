import { dirname } from 'node:path';
import type { ScannedKey } from '@temporal-kms/codec-api';
import type { KeyDescription } from '@temporal-kms/kms-codec';
import { writePrivateFile } from '../cli/private-file.ts';
import { createStateFolder, readState } from './state.ts';

/** Which version of a crypto key was primary at one point in time. */
interface Observation {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly primary: number | null;
}

/** Observations by crypto key, in the order of their times. */
type Observations = Record<string, readonly Observation[]>;

/**
 * Adds the descriptions that Cloud KMS returns now to the observations of earlier scans, and returns the keys for the
 * report. Cloud KMS does not record when a version stopped being primary, so a program can only observe that the
 * version is no longer primary.
 *
 * @param path the file that keeps the observations
 */
export async function observeKeys(
  path: string,
  descriptions: readonly KeyDescription[],
  now: Date,
): Promise<ScannedKey[]> {
  await createStateFolder(dirname(path));
  const content = await readState(path);
  const all = isObservations(content) ? content : {};
  for (const { key, primary } of descriptions) {
    all[key] = shorten([...(all[key] ?? []), { time: now.getTime(), primary: primary ?? null }]);
  }
  await writePrivateFile(path, JSON.stringify(all));
  return descriptions.map(({ key, primary, versions }) => ({
    key,
    time: now.toISOString(),
    ...(primary === undefined ? {} : { primary }),
    versions: versions.map(({ version, state, created }) => {
      const observations = all[key] ?? [];
      const since = notPrimarySince(version, observations);
      const last = observations.findLast((one) => one.primary === version)?.time;
      return {
        version,
        state,
        ...(created === undefined ? {} : { created: created.toISOString() }),
        ...(since === undefined ? {} : { notPrimarySince: new Date(since).toISOString() }),
        ...(last === undefined ? {} : { lastPrimary: new Date(last).toISOString() }),
      };
    }),
  }));
}

/**
 * Returns the time since which every observation has found a later version to be primary. Earlier
 * observations do not count, because the version may have become primary again after them.
 */
function notPrimarySince(version: number, observations: readonly Observation[]): number | undefined {
  const last = observations.findLastIndex(({ primary }) => primary === null || primary <= version);
  return observations[last + 1]?.time;
}

/** Keeps only the first and the last of consecutive observations of the same primary version. */
const shorten = (observations: readonly Observation[]): Observation[] =>
  observations.filter(
    ({ primary }, index) =>
      observations[index - 1]?.primary !== primary || observations[index + 1]?.primary !== primary,
  );

/** A missing or damaged file counts as a file without observations, so versions must be observed again. */
const isObservations = (content: unknown): content is Observations =>
  typeof content === 'object' &&
  content !== null &&
  Object.values(content).every(
    (list) =>
      Array.isArray(list) &&
      list.every(
        (one: Partial<Observation> | null) => typeof one?.time === 'number' && one.primary !== undefined,
      ),
  );
