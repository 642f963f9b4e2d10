import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SCAN_REPORT_VERSION, type ScannedServer, type ScanReport } from '@temporal-kms/codec-api';
import { type KeyDescription, KmsCodecError, type KeyRules, type KmsSettings } from '@temporal-kms/kms-codec';
import { CliError } from '../cli/cli-error.ts';
import { keyUses } from '../cli/key-uses.ts';
import { GOOGLE_TIME, requireClock } from '../google/clock.ts';
import { describeKey, withKeyService } from '../google/describe.ts';
import type { ExportSource } from './exports.ts';
import { observeKeys } from './observed-keys.ts';
import { scanNamespace } from './scan-namespace.ts';
import type { TemporalScanOptions } from './on-temporal/client.ts';
import type { RemoteRuns } from './remote-runs.ts';
import type { ScanSource } from '../temporal/scan-source.ts';
import { notKept, ScanState } from './state.ts';
import type { KeptObjects, References } from './stored-objects.ts';

export interface ScanRequest {
  readonly settings: KmsSettings;
  /** Crypto keys whose versions the report contains, in addition to the configured keys. */
  readonly keys: readonly string[];
  /** The Temporal server that has the namespaces. */
  readonly server: ScannedServer;
  readonly namespaces: readonly string[];
  readonly sourceOf: (namespace: string) => ScanSource;
  readonly exportsOf: (namespace: string) => readonly ExportSource[];
  /** The folder in which scans keep their state. */
  readonly stateFolder: string;
  readonly settleMs: number;
  /**
   * Returns the reader of the objects to which a namespace's histories refer. Without this function, each reference
   * counts as a gap.
   */
  readonly referencesOf?: ((namespace: string, kept: KeptObjects) => References) | undefined;
  /** Returns an interface to other processes that read the runs in place of this process. */
  readonly remoteRuns?: (
    scanned: Pick<
      TemporalScanOptions,
      'namespace' | 'namespaceId' | 'retentionSeconds' | 'source' | 'keys' | 'file' | 'progress'
    >,
  ) => RemoteRuns;
  readonly now: () => Date;
  readonly progress: (text: string) => void;
}

/** Scans namespaces one after another. @throws CliError if the state cannot be written */
export async function runScan(request: ScanRequest): Promise<ScanReport> {
  const { settings, keys, namespaces, sourceOf, exportsOf, stateFolder, settleMs, now, progress } = request;
  const { remoteRuns, server, referencesOf } = request;
  // The clock must be right, because a verdict depends on the times at which primary versions were observed.
  await requireClock(settings.emulatorHost === undefined ? GOOGLE_TIME : undefined, now, progress);
  const started = now().toISOString();
  // Reads the keys before any history, because a scan counts only for versions that stopped being primary before the
  // scan.
  const descriptions = await describeKeys(settings, keys, progress);
  const cryptoKeys = await observeKeys(join(stateFolder, 'crypto-keys.json'), descriptions, now()).catch(
    notKept,
  );
  const scanned: ScanReport['namespaces'] = [];
  for (const namespace of namespaces) {
    const source = sourceOf(namespace);
    const keysOfNamespace = keysOf(settings.rules, namespace);
    const report = (text: string): void => progress(`${namespace}: ${text}`);
    const fileOf = (id: string, kind: string): string =>
      join(stateFolder, `${encodeURIComponent(id)}.${kind}`);
    scanned.push(
      // oxlint-disable-next-line no-await-in-loop -- namespaces and the cluster have limits on the rate of calls
      await scanNamespace({
        source,
        namespace,
        keys: keysOfNamespace,
        openState: (id) => ScanState.open(fileOf(id, 'journal'), now).catch(notKept),
        ...(referencesOf && { referencesOf: (state: ScanState) => referencesOf(namespace, state) }),
        ...(remoteRuns !== undefined && {
          remoteRuns: ({ id: namespaceId, retentionSeconds }) =>
            remoteRuns({
              namespace,
              namespaceId,
              retentionSeconds,
              source,
              keys: keysOfNamespace,
              file: fileOf(namespaceId, 'on-temporal.json'),
              progress: report,
            }),
        }),
        exports: exportsOf(namespace),
        settleMs,
        now,
        sleep,
        progress: report,
      }),
    );
  }
  return {
    version: SCAN_REPORT_VERSION,
    server: {
      address: server.address,
      ...(server.clusterId === undefined ? {} : { clusterId: server.clusterId }),
    },
    // A scan on Temporal may continue a scan that an earlier process started.
    started: scanned.reduce((first, one) => (one.started < first ? one.started : first), started),
    finished: now().toISOString(),
    complete: scanned.every(({ complete }) => complete),
    cryptoKeys,
    namespaces: scanned,
  };
}

async function describeKeys(
  { rules, emulatorHost }: KmsSettings,
  further: readonly string[],
  progress: (text: string) => void,
): Promise<KeyDescription[]> {
  return await withKeyService(emulatorHost, async (service) => {
    const found: KeyDescription[] = [];
    for (const key of new Set([...keyUses(rules).map((use) => use.key), ...further])) {
      progress(`Reading ${key}`);
      try {
        // oxlint-disable-next-line no-await-in-loop -- Cloud KMS has a small quota for reads.
        found.push(await describeKey(service, key));
      } catch (error) {
        if (!(error instanceof CliError)) throw error;
        progress(`The report does not contain the versions of ${key}: ${error.message}`);
      }
    }
    return found;
  });
}

/** Returns the namespace's keys, or an empty list for a namespace without a rule, which may be scanned too. */
function keysOf(rules: KeyRules, namespace: string): readonly string[] {
  try {
    return rules.resolve(namespace).keys;
  } catch (error) {
    if (error instanceof KmsCodecError) return [];
    throw error;
  }
}
