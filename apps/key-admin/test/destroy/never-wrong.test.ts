import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ScanReport } from '@temporal-kms/codec-api';
import { Random } from '@temporal-kms/testing/random';
import { expect, it } from 'vitest';
import { judge } from '../../src/destroy/verdict.ts';
import { cryptoKeyId } from '@temporal-kms/kms-codec';
import { Found } from '../../src/scan/found.ts';
import type { Plan } from '../../src/scan/on-temporal/contract.ts';
import { planShards } from '../../src/scan/on-temporal/plan.ts';
import { type Checkpoint, scanRange } from '../../src/scan/on-temporal/scan-range.ts';
import { runStages, startProgress } from '../../src/scan/on-temporal/stages.ts';
import { mergeParts, type ScanPart } from '../../src/scan/part.ts';
import type { TimeRange } from '../../src/scan/passes.ts';
import type { RemoteRuns } from '../../src/scan/remote-runs.ts';
import { observeKeys } from '../../src/scan/observed-keys.ts';
import { scanNamespace } from '../../src/scan/scan-namespace.ts';
import { ScanError } from '../../src/scan/source.ts';
import { ScanState } from '../../src/scan/state.ts';
import { temporaryFolder } from '../support/cli.ts';
import { KEY } from '../support/messages.ts';
import { Crash, DAY, LAG, trouble, World, type WorldSource } from '../support/world.ts';

const CASES = process.env['SLOW'] ? 20_000 : 2_000;
const HOUR = 3_600_000;

/** Scans as the command does. Undefined: the process was killed. */
async function scan(
  world: World,
  folder: string,
  stepMs: number,
  isOnTemporal: boolean,
): Promise<ScanReport | undefined> {
  const now = () => new Date(world.now);
  const started = now().toISOString();
  const cryptoKeys = await observeKeys(join(folder, 'crypto-keys.json'), [world.description], now());
  const source = world.source(stepMs, trouble(world.random));
  try {
    const namespace = await scanNamespace({
      source,
      ...(isOnTemporal && { remoteRuns: () => inShards(world, source, folder) }),
      namespace: 'payments',
      keys: [KEY],
      openState: () => ScanState.open(join(folder, 'journal')),
      exports: [],
      settleMs: LAG,
      now,
      sleep: async (milliseconds) => world.pass(milliseconds),
      progress: () => undefined,
    });
    return {
      version: 1,
      started,
      finished: now().toISOString(),
      complete: namespace.complete,
      cryptoKeys,
      namespaces: [namespace],
    };
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
    return undefined;
  }
}

/** Scans runs in shards, as workers do, one after the other. Each shard is cut off once, and continues from its checkpoint. */
function inShards(world: World, source: WorldSource, folder: string): RemoteRuns {
  const now = () => Math.ceil(world.now);
  const scanShard = async (range: TimeRange, attempt = 1, from?: Checkpoint): Promise<ScanPart> => {
    let last = from;
    try {
      return await scanRange({
        source,
        range,
        keyIds: [cryptoKeyId(KEY)],
        state: await ScanState.open(join(folder, 'journal')),
        from,
        isLastAttempt: attempt === MAX_ATTEMPTS,
        checkpoint: (checkpoint) => {
          last = checkpoint;
          if (attempt === 1 && world.random.oneIn(3)) throw new Killed();
        },
        signal: new AbortController().signal,
      });
    } catch (error) {
      const isUnavailable = error instanceof ScanError && error.kind === 'unavailable';
      if (error instanceof Killed || (isUnavailable && attempt < MAX_ATTEMPTS))
        return await scanShard(range, attempt + 1, last);
      const found = new Found([]);
      for (const place of ['open', 'closed'] as const) found.miss(place, error);
      return found.toPart();
    }
  };
  return {
    resume: async () => undefined,
    end: async () => undefined,
    run: async () => {
      const progress = startProgress(now(), LAG);
      return await runStages(progress, {
        settleMs: LAG,
        now,
        sleep: async (milliseconds) => world.pass(milliseconds),
        runStage: async () => {
          if (progress.stage.kind !== 'first') source.lookAtNewRuns();
          for (let { rest } = progress; rest !== undefined;) {
            const plan: Plan = await planShards(source, rest, 2, now(), 2).catch((error: unknown) => {
              const found = new Found([]);
              for (const place of ['open', 'closed'] as const) found.miss(place, error);
              progress.stageFound = mergeParts(progress.stageFound, found.toPart());
              return { shards: [], shardSize: 2 };
            });
            for (const shard of plan.shards)
              progress.stageFound = mergeParts(progress.stageFound, await scanShard(shard));
            ({ rest } = plan);
          }
          delete progress.rest;
        },
      });
    },
  };
}

/** Attempts to scan a shard. */
const MAX_ATTEMPTS = 3;

class Killed extends Error {}

/** Leaves what a file may contain after the machine failed while it was written. */
async function cutOff(path: string, random: Random): Promise<void> {
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes !== undefined && random.oneIn(4))
    await writeFile(path, bytes.subarray(0, random.below(bytes.length + 1)));
}

it.for([
  ['one process', false],
  ['shards', true],
] as const)(
  `never permits to destroy a version that something needs, in ${CASES} random worlds, by scans in %s`,
  { timeout: 1_800_000 },
  async ([, isOnTemporal]) => {
    const outcomes = { yes: 0, no: 0, killed: 0 };
    const root = await temporaryFolder();
    for (let seed = 0; seed < CASES; seed += 1) {
      const random = new Random(seed);
      const world = new World(random);
      const folder = join(root, String(seed));
      const permitted = new Set<number>();
      for (let step = 2 + random.below(4); step > 0; step -= 1) {
        world.pass(random.next() * random.pick([DAY / 2, 3 * DAY]));
        if (random.oneIn(3)) world.rotate();
        // In some worlds all that is old ends, so that versions become free.
        world.pace = random.pick([0.05, 0.2, 1, 4]);
        const report = await scan(world, folder, random.pick([1_000, 10 * 60_000, HOUR]), isOnTemporal);
        await cutOff(join(folder, 'journal'), random);
        if (report === undefined) {
          outcomes.killed += 1;
          continue;
        }
        world.pass(random.oneIn(2) ? 0 : random.next() * 30 * HOUR);
        for (const { version } of world.versions) {
          const { mayDestroy } = judge({
            key: KEY,
            version,
            description: world.description,
            report,
            namespaces: ['payments'],
            hasOtherNamespaces: true,
            maxAgeMs: DAY,
            now: new Date(world.now),
          });
          outcomes[mayDestroy ? 'yes' : 'no'] += 1;
          if (mayDestroy) permitted.add(version);
        }
        for (const version of permitted)
          expect([seed, version, world.needs(version)]).toEqual([seed, version, false]);
      }
      // What was permitted must stay right: nothing may appear later that needs the version.
      for (let hours = 0; hours < 6 && permitted.size > 0; hours += 1) {
        world.pass(12 * HOUR);
        for (const version of permitted)
          expect([seed, version, world.needs(version)]).toEqual([seed, version, false]);
      }
    }
    // The test would show nothing if the answer were always no.
    expect(outcomes.yes).toBeGreaterThan(CASES / 20);
    expect(outcomes.no).toBeGreaterThan(outcomes.yes);
    expect(outcomes.killed).toBeGreaterThan(CASES / 20);
  },
);
