import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ScanReport } from '@temporal-kms/codec-api';
import { Random } from '@temporal-kms/testing/random';
import { expect, it } from 'vitest';
import { judge } from '../../src/destroy/verdict.ts';
import { observeKeys } from '../../src/scan/observed-keys.ts';
import { scanNamespace } from '../../src/scan/scan-namespace.ts';
import { ScanState } from '../../src/scan/state.ts';
import { temporaryFolder } from '../support/cli.ts';
import { KEY } from '../support/messages.ts';
import { scanInShards } from '../support/shard-scan.ts';
import { Crash, DAY, LAG, trouble, World } from '../support/world.ts';

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
      ...(isOnTemporal && { remoteRuns: () => scanInShards(world, source, folder) }),
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
