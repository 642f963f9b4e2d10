import type { Random } from '@temporal-kms/testing/random';
import type { Statement } from '../../src/destroy/statement.ts';
import type { TemporalServer } from '../../src/temporal/server.ts';
import { KeyModel } from './key-model.ts';
import { KEY } from './messages.ts';
import { type Clock, NamespaceModel, sourceOf, type WorldSource } from './namespace-model.ts';
import { statementOf } from './question.ts';

const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
/** Maximum difference between a clock and Google's, so that two clocks differ by at most 5 minutes. */
const MAX_CLOCK_ERROR = 150_000;

/** A Temporal server and its clock. */
interface Cluster {
  readonly address: string;
  readonly clusterId?: string;
  readonly isListed: boolean;
  readonly clock: Clock;
  namespaces: NamespaceModel[];
  /**
   * Names of the initial namespaces. If the server does not list its namespaces, the initial namespaces are
   * never deleted.
   */
  readonly first: readonly string[];
}

const isKept = ({ isListed, first }: Cluster, name: string): boolean => !isListed && first.includes(name);

/** Names of namespaces that appear and disappear. */
const NAMES = ['payments', 'orders', 'billing', 'reports'];

/**
 * A model of Temporal's servers, Cloud KMS and the programs that use them. The model knows which data exists,
 * and which key version the data needs. The model knows nothing about scans and verdicts. Time passes only in
 * `pass`.
 */
export class World {
  now = Date.UTC(2030, 0, 1);
  readonly random: Random;
  readonly key: KeyModel;
  readonly clusters: readonly Cluster[];
  /**
   * The namespaces for which this application's configuration uses the key; `undefined` means every
   * namespace.
   */
  readonly named: readonly string[] | undefined;
  /** A namespace for which only another application's configuration uses the key. */
  readonly #other: string | undefined;
  /** Number of random events per hour. */
  pace: number;
  #ids = 0;

  constructor(random: Random) {
    this.random = random;
    this.pace = random.pick([0.2, 1, 4]);
    this.named = random.oneIn(2) ? undefined : NAMES.slice(0, 1 + random.below(2));
    this.#other = this.named !== undefined && random.oneIn(3) ? 'billing' : undefined;
    this.key = new KeyModel(random, this);
    // Servers that were restored from the same backup have the same id, and so do their namespaces.
    const isCopy = random.oneIn(2);
    const withoutId = random.oneIn(5);
    this.clusters = Array.from({ length: random.oneIn(3) ? 2 : 1 }, (_, n) => ({
      address: `server-${n}:7233`,
      ...(withoutId ? {} : { clusterId: isCopy ? 'cluster' : `cluster-${n}` }),
      isListed: !random.oneIn(4),
      clock: this.newClock(),
      namespaces: [],
      first: NAMES.slice(0, 1 + random.below(3)),
    }));
    for (const cluster of this.clusters)
      cluster.namespaces = cluster.first.map((name) =>
        this.#newNamespace(cluster, name, isCopy ? `id-of-${name}` : undefined),
      );
    for (let n = random.below(8); n > 0; n -= 1) this.#act();
  }

  /** Returns a clock that is wrong by a constant amount. */
  newClock(): Clock {
    const error = (2 * this.random.next() - 1) * MAX_CLOCK_ERROR;
    const time = () => this.now + error;
    return {
      get now() {
        return time();
      },
      pass: (milliseconds) => this.pass(milliseconds),
    };
  }

  /** Lets time pass and random events happen. */
  pass(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (;;) {
      const step = (-Math.log(1 - this.random.next()) * HOUR) / this.pace;
      if (this.now + step >= end) break;
      this.now += step;
      this.#act();
    }
    this.now = end;
    for (const namespace of this.#all()) namespace.expire();
  }

  /** Whether any existing data needs the version. If so, destroying the version loses data. */
  needs(version: number): boolean {
    return this.#all().some((namespace) => namespace.needs(version));
  }

  /** Returns how a server describes itself now to a caller that requests these namespaces. */
  describe({ address, clusterId, isListed, namespaces }: Cluster, names: readonly string[]): TemporalServer {
    return {
      address,
      ...(clusterId === undefined ? {} : { clusterId }),
      isListed,
      namespaces: namespaces
        .filter(({ name }) => isListed || names.includes(name))
        .map(({ name, id }) => ({ name, id })),
    };
  }

  /** Returns the statement that an honest person makes now. */
  statement(): Statement {
    const { clusters, ...rest } = statementOf(
      KEY,
      new Date(this.newClock().now).toISOString(),
      this.clusters,
    );
    return {
      ...rest,
      clusters: clusters.map((stated, n) => {
        const { isListed, namespaces } = this.clusters[n]!;
        const served = namespaces.map(({ name }) => name).filter((name) => this.#serves(name));
        const isNamed =
          served.length > 0 && (!isListed || (this.named !== undefined && !this.random.oneIn(3)));
        return isNamed ? { ...stated, namespaces: served } : stated;
      }),
    };
  }

  /**
   * Returns the source through which a scan reads a namespace. Before each response, time passes, and `fail`
   * may throw.
   */
  source(cluster: Cluster, name: string, stepMs: number, fail: () => void): WorldSource {
    const find = () => cluster.namespaces.find((one) => one.name === name);
    return sourceOf(find, cluster.clock, this.random, stepMs, fail);
  }

  #all(): NamespaceModel[] {
    return this.clusters.flatMap(({ namespaces }) => namespaces);
  }

  #serves(name: string): boolean {
    return this.named === undefined || this.named.includes(name) || name === this.#other;
  }

  #newNamespace({ clock }: Cluster, name: string, id?: string): NamespaceModel {
    this.#ids += 1;
    const key = this.#serves(name) ? this.key : undefined;
    return new NamespaceModel(name, id ?? `id-${this.#ids}`, this.random, clock, key);
  }

  #act(): void {
    const { random, key } = this;
    const all = this.#all();
    if (random.oneIn(14)) {
      if (random.oneIn(6)) key.rotate();
      else if (random.oneIn(3)) key.promoteLatest();
    } else if (random.oneIn(15)) {
      this.changeNamespaces();
    } else if (all.length > 0) {
      random.pick(all).act();
    }
  }

  /** Creates, deletes or recreates a namespace, empty or with another namespace's histories. */
  changeNamespaces(): void {
    const { random } = this;
    const cluster = random.pick(this.clusters);
    const name = random.pick(NAMES);
    const old = cluster.namespaces.find((one) => one.name === name);
    const isMoved = random.oneIn(2);
    const origin = isMoved && this.#all().length > 0 ? random.pick(this.#all()) : undefined;
    if (old !== undefined && !isKept(cluster, name) && random.oneIn(3)) {
      cluster.namespaces = cluster.namespaces.filter((one) => one !== old);
      return;
    }
    // Histories move only into namespaces that a list or the configuration names, because no statement covers
    // other namespaces.
    const isVisible =
      this.#serves(name) && (cluster.isListed ? this.named?.includes(name) !== false : isKept(cluster, name));
    const anew = this.#newNamespace(cluster, name);
    if (origin !== undefined && isVisible) {
      anew.copyFrom(origin);
      // The namespace that the histories come from may remain, disappear, or be recreated empty.
      const isAnew = random.oneIn(2);
      if (!random.oneIn(3))
        for (const one of this.clusters)
          one.namespaces = one.namespaces.flatMap((each) => {
            if (each !== origin) return [each];
            return isAnew || isKept(one, each.name) ? [this.#newNamespace(one, each.name)] : [];
          });
    }
    cluster.namespaces = [...cluster.namespaces.filter((one) => one.name !== name), anew];
  }
}
