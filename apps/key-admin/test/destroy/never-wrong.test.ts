import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ScannedKey, ScanReport } from '@temporal-kms/codec-api';
import { Random } from '@temporal-kms/testing/random';
import { expect, it } from 'vitest';
import type { DestroyQuestion } from '../../src/destroy/question.ts';
import type { Statement } from '../../src/destroy/statement.ts';
import { judge } from '../../src/destroy/verdict.ts';
import { observeKeys } from '../../src/scan/observed-keys.ts';
import { scanNamespace } from '../../src/scan/scan-namespace.ts';
import { namespacesToScan } from '../../src/scan/scan-options.ts';
import { ScanState } from '../../src/scan/state.ts';
import { temporaryFolder } from '../support/cli.ts';
import { KEY } from '../support/messages.ts';
import { Crash, LAG, trouble } from '../support/namespace-model.ts';
import { scanInShards } from '../support/shard-scan.ts';
import { DAY, World } from '../support/world.ts';

const CASES = process.env['SLOW'] ? 10_000 : 40;
const HOUR = 3_600_000;

type Cluster = World['clusters'][number];

/**
 * A simulated operator who uses the tools in a simulated world. The operator scans, makes statements, decides
 * and destroys, and also makes mistakes.
 */
class Operator {
  readonly #world: World;
  readonly #random: Random;
  readonly #folder: string;
  readonly #isOnTemporal: boolean;
  readonly #clock;
  readonly #observed = new Map<Cluster, readonly ScannedKey[]>();
  /** The latest report about each server. */
  readonly #reports = new Map<Cluster, ScanReport>();
  #statement: Statement | undefined;

  constructor(world: World, folder: string, isOnTemporal: boolean) {
    this.#world = world;
    this.#random = world.random;
    this.#folder = folder;
    this.#isOnTemporal = isOnTemporal;
    this.#clock = world.newClock();
  }

  /** Scans the servers, but sometimes forgets one. Returns false if a process was killed. */
  async scan(): Promise<boolean> {
    let isWhole = true;
    for (const cluster of this.#world.clusters) {
      if (this.#random.oneIn(10)) continue;
      const report = await this.#scanCluster(cluster);
      if (report === undefined) isWhole = false;
      else this.#reports.set(cluster, report);
    }
    return isWhole;
  }

  state(): void {
    if (!this.#random.oneIn(6)) this.#statement = this.#world.statement();
  }

  /** Decides twice, as `destroy` does: before and after a person confirms. */
  mayDestroy(version: number): boolean {
    const ask = this.#question(version);
    if (ask === undefined || !judge(ask()).mayDestroy) return false;
    this.#world.pass(this.#random.oneIn(2) ? 0 : this.#random.next() * 6 * HOUR);
    return judge(ask()).mayDestroy;
  }

  #question(version: number): (() => DestroyQuestion) | undefined {
    const { key, clusters, named } = this.#world;
    const reports = [...this.#reports.values()];
    const asked = clusters.filter(() => !this.#random.oneIn(20));
    if (reports.length === 0 || asked.length === 0) return undefined;
    const notPrimarySince = this.#statedTime(version);
    const statement = this.#statement;
    const names = [
      ...(named ?? []),
      ...reports.flatMap((report) => report.namespaces.map(({ namespace }) => namespace)),
      ...(statement?.clusters.flatMap(({ namespaces = [] }) => namespaces) ?? []),
    ];
    return () => ({
      key: KEY,
      version,
      description: key.description,
      reports,
      servers: asked.map((cluster) => this.#world.describe(cluster, names)),
      statement,
      namespaces: named ?? [],
      hasOtherNamespaces: named === undefined,
      ...(notPrimarySince === undefined ? {} : { notPrimarySince: new Date(notPrimarySince) }),
      maxAgeMs: DAY,
      now: new Date(this.#clock.now),
    });
  }

  /**
   * Returns when a later version became primary, as the operator finds out from the audit log. Sometimes, the
   * operator states no time (undefined), or, by mistake, a time before the next version existed.
   */
  #statedTime(version: number): number | undefined {
    const { key } = this.#world;
    const later = key.versions.find((one) => one.version > version);
    if (later !== undefined && this.#random.oneIn(8))
      return later.created - 1 - this.#random.next() * 7 * DAY;
    return this.#random.oneIn(2) ? key.replacedAt(version) : undefined;
  }

  async #scanCluster(cluster: Cluster): Promise<ScanReport | undefined> {
    const { address, clusterId, clock } = cluster;
    const random = this.#random;
    const world = this.#world;
    const now = () => new Date(this.#clock.now);
    const started = now().toISOString();
    const folder = join(this.#folder, address);
    const observed = await observeKeys(join(folder, 'crypto-keys.json'), [world.key.description], now());
    this.#observed.set(cluster, observed);
    const stated = this.#statement?.clusters.find((one) => one.address === address)?.namespaces ?? [];
    const rules = { namespaces: world.named ?? [], hasDefault: world.named === undefined };
    const all = [...namespacesToScan(rules, world.describe(cluster, []), 'payments'), ...stated];
    // Leaves out the keys file's namespaces that are on other servers.
    const wanted = [...new Set(all)].filter(
      (name) => cluster.namespaces.some((one) => one.name === name) && !random.oneIn(20),
    );
    const namespaces: ScanReport['namespaces'] = [];
    const stepMs = random.pick([1_000, 10 * 60_000, HOUR]);
    const fail = trouble(random);
    try {
      for (const name of wanted) {
        if (random.oneIn(6)) world.changeNamespaces();
        const source = world.source(cluster, name, stepMs, fail);
        const fileOf = (id: string) => join(folder, `${id}.journal`);
        namespaces.push(
          await scanNamespace({
            source,
            ...(this.#isOnTemporal && {
              remoteRuns: ({ id }) => scanInShards(world, source, clock, fileOf(id)),
            }),
            namespace: name,
            keys: [KEY],
            openState: async (id) => {
              await cutOff(fileOf(id), random);
              return await ScanState.open(fileOf(id));
            },
            exports: [],
            settleMs: LAG,
            now,
            sleep: async (milliseconds) => world.pass(milliseconds),
            progress: () => undefined,
          }),
        );
      }
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      return undefined;
    }
    return {
      version: 1,
      server: { address, ...(clusterId === undefined ? {} : { clusterId }) },
      started,
      finished: now().toISOString(),
      complete: namespaces.every(({ complete }) => complete),
      cryptoKeys: observed,
      namespaces,
    };
  }
}

/** Damages a file as if the machine had failed during a write. */
async function cutOff(path: string, random: Random): Promise<void> {
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes !== undefined && random.oneIn(8))
    await writeFile(path, bytes.subarray(0, random.below(bytes.length + 1)));
}

it(
  `never permits destroying a version that something needs, in ${CASES} random worlds of servers, namespaces and clocks`,
  { timeout: 3_600_000 },
  async () => {
    const outcomes = { yes: 0, no: 0, killed: 0 };
    const root = await temporaryFolder();
    for (let seed = 0; seed < CASES; seed += 1) {
      const random = new Random(seed);
      const world = new World(random);
      const operator = new Operator(world, join(root, String(seed)), seed % 2 === 1);
      const permitted = new Set<number>();
      for (let step = 2 + random.below(4); step > 0; step -= 1) {
        world.pass(random.next() * random.pick([DAY / 2, 3 * DAY]));
        if (random.oneIn(3)) world.key.rotate();
        // In some worlds, all old runs and schedules end, so that versions become free.
        world.pace = random.pick([0.05, 0.2, 1, 4]);
        if (!random.oneIn(4)) operator.state();
        if (!(await operator.scan())) outcomes.killed += 1;
        world.pass(random.oneIn(2) ? 0 : random.next() * 30 * HOUR);
        if (!random.oneIn(4)) operator.state();
        for (const { version } of world.key.versions) {
          const isYes = operator.mayDestroy(version);
          outcomes[isYes ? 'yes' : 'no'] += 1;
          if (isYes) permitted.add(version);
        }
        for (const version of permitted)
          expect([seed, version, world.needs(version)]).toEqual([seed, version, false]);
      }
      // A yes must remain right: nothing that needs the version may appear later.
      for (let hours = 0; hours < 6 && permitted.size > 0; hours += 1) {
        world.pass(12 * HOUR);
        for (const version of permitted)
          expect([seed, version, world.needs(version)]).toEqual([seed, version, false]);
      }
    }
    // The test would prove nothing if the answer were always no.
    expect(outcomes.yes).toBeGreaterThan(CASES / 20);
    expect(outcomes.no).toBeGreaterThan(outcomes.yes);
    expect(outcomes.killed).toBeGreaterThan(CASES / 20);
  },
);
