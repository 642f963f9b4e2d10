import { Readable } from 'node:stream';
import type { ScannedNamespace, ScanPlace } from '@temporal-kms/codec-api';
import { cryptoKeyId } from '@temporal-kms/kms-codec';
import { duration } from '../cli/output.ts';
import { type ExportedHistory, type ExportSource, readExports } from './exports.ts';
import { ScanResults, toReport } from './scan-results.ts';
import { CONCURRENCY, MAX_CATCH_UP_MS, MAX_SKEW_MS } from './passes.ts';
import { countRun } from './count-run.ts';
import { readRun } from './read-run.ts';
import type { BeforeRuns, RemoteRuns, RunsFound } from './remote-runs.ts';
import type { References } from './stored-objects.ts';
import { ScheduleScan } from './scan-schedules.ts';
import { type ListedRun, type NamespaceDescription, type ScanSource } from '../temporal/scan-source.ts';
import type { ScanState } from './state.ts';

/**
 * Milliseconds between lines of progress, and between writes of the state. A killed process loses at most the work
 * done in this time.
 */
const TICK_MS = 3_000;
/** Maximum number of different reasons that a report contains for unreadable exports. */
const MAX_REASONS = 100;
export interface NamespaceScan {
  readonly source: ScanSource;
  readonly namespace: string;
  /** The crypto keys that the configuration lists for the namespace. */
  readonly keys: readonly string[];
  readonly openState: (namespaceId: string) => Promise<ScanState>;
  /**
   * Returns the reader of the objects to which histories refer. Without this function, each reference counts as a gap.
   */
  readonly referencesOf?: ((state: ScanState) => References) | undefined;
  readonly exports: readonly ExportSource[];
  /** Returns an interface to other processes that read the runs in place of this process. */
  readonly remoteRuns?: (namespace: NamespaceDescription) => RemoteRuns;
  /** How long a run may take to appear in Temporal's lists, in milliseconds. */
  readonly settleMs: number;
  readonly now: () => Date;
  readonly sleep: (milliseconds: number) => Promise<unknown>;
  readonly progress: (text: string) => void;
}

/**
 * Scans a namespace. Data that cannot be read becomes a gap in the report.
 *
 * Temporal has no snapshot: runs start, close and disappear while a scan lists them. During the scan, a new payload
 * under an old key version can only be a copy that the server makes. The server copies a schedule's input when the
 * schedule starts a run, and a run's payloads when the run is retried, is repeated by cron, or is reset. Therefore the
 * scan reads schedules first, then all runs and, once new runs have had time to appear in the lists, the runs that
 * started meanwhile. If the scan missed a payload from which the server made a copy, the last list contains the run
 * with the copy. Finally, the scan reads the schedules that the first list did not contain.
 */
export async function scanNamespace(scan: NamespaceScan): Promise<ScannedNamespace> {
  return await new Scan(scan).run();
}

class Scan {
  readonly #scan: NamespaceScan;
  #found: ScanResults;
  /** The ids of the runs that were listed. */
  readonly #seen = new Set<string>();
  readonly #schedules: ScheduleScan;
  readonly #notWalked = new Map<string, number>();
  #started: Date;
  #remote: RunsFound | undefined;
  /**
   * Returns the progress as text. The function is undefined while other processes scan and show their own
   * progress.
   */
  #step: (() => string) | undefined;

  constructor(scan: NamespaceScan) {
    this.#scan = scan;
    this.#found = new ScanResults(scan.keys.map(cryptoKeyId));
    this.#schedules = new ScheduleScan(scan.source);
    this.#started = scan.now();
  }

  async run(): Promise<ScannedNamespace> {
    const { source, namespace, exports, keys, now } = this.#scan;
    let description: NamespaceDescription | undefined;
    await this.#guard([], async () => {
      description = await source.describe();
      const state = await this.#scan.openState(description.id);
      this.#found = new ScanResults(keys.map(cryptoKeyId), this.#scan.referencesOf?.(state));
      await this.#scanAll(description, state);
    });
    if (description === undefined)
      for (const place of ['open', 'closed', 'schedules'] as const) this.#found.fail(place);
    const { complete, ...report } = toReport(this.#found.toPart(), keys);
    return {
      namespace,
      started: this.#started.toISOString(),
      finished: now().toISOString(),
      complete,
      ...(description === undefined
        ? {}
        : { id: description.id, retentionSeconds: description.retentionSeconds }),
      ...report,
      exports: exports.map(({ location }) => location),
    };
  }

  /** Scans the namespace. Every few seconds, shows the progress and writes the state. */
  async #scanAll(description: NamespaceDescription, state: ScanState): Promise<void> {
    const timer = setInterval(() => {
      if (this.#step !== undefined) this.#scan.progress(this.#step());
      // Ignores an error, because the next scan rereads each run whose summary could not be written.
      // Only an error of `compact` or `end` ends the command.
      void state.flush().catch(() => undefined);
    }, TICK_MS);
    try {
      await this.#scanParts(description, state);
    } finally {
      clearInterval(timer);
    }
  }

  #begin(step: () => string): void {
    this.#step = step;
    this.#scan.progress(step());
  }

  async #scanParts(description: NamespaceDescription, state: ScanState): Promise<void> {
    const { exports, remoteRuns } = this.#scan;
    const { archive } = description;
    const remote = remoteRuns?.(description);
    if (remote === undefined) {
      await this.#scanBeforeRuns();
      await this.#guard(['open', 'closed'], () => this.#scanRuns(state));
    } else {
      await this.#scanRemotely(remote);
    }
    await this.#guard(['schedules'], () => this.#scanSchedules());
    if (archive === 'listed') await this.#guard(['archived'], () => this.#scanArchive(state));
    if (archive === 'unlisted') {
      this.#found.fail('archived');
      this.#found.addGap({
        kind: 'not_offered',
        place: 'archived',
        message:
          "Temporal archives this namespace's histories, but not the visibility records that would list them.",
      });
    }
    if (exports.length > 0) await this.#guard(['exports'], () => this.#scanExports());
    await this.#guard([], () => this.#lookForOthers());
    for (const [message, count] of this.#notWalked)
      this.#found.addGap({ kind: 'not_walked', message, count });
    const listedBefore = this.#remote && this.#remote.listedUntil - this.#scan.settleMs - MAX_SKEW_MS;
    await this.#guard(['schedules'], () => this.#schedules.checkKeptResults(this.#found, listedBefore));
    await state.end();
    await remote?.end();
  }

  async #scanBeforeRuns(): Promise<void> {
    // Looks for batch operations both before and after the runs are read, because operations may end in
    // between.
    await this.#guard([], () => this.#lookForOthers());
    await this.#guard(['schedules'], () => this.#scanSchedules());
    this.#schedules.runsBegin();
  }

  /**
   * Lets other processes scan the runs. Earlier findings may come from an earlier process of the same scan.
   */
  async #scanRemotely(remote: RemoteRuns): Promise<void> {
    const earlier = await remote.resume();
    if (earlier === undefined) await this.#scanBeforeRuns();
    else this.#restore(earlier);
    this.#step = undefined;
    this.#remote = await remote.run(earlier ?? this.#beforeRuns());
    this.#found.begin('open');
    this.#found.begin('closed');
    this.#found.merge(this.#remote.part);
  }

  #beforeRuns(): BeforeRuns {
    return {
      started: this.#started.getTime(),
      part: this.#found.toPart(),
      ...this.#schedules.beforeRuns(),
      notWalked: [...this.#notWalked],
    };
  }

  #restore(before: BeforeRuns): void {
    this.#started = new Date(before.started);
    this.#found.merge(before.part);
    this.#schedules.restore(before);
    for (const [message, count] of before.notWalked) this.#notWalked.set(message, count);
  }

  async #lookForOthers(): Promise<void> {
    for (const { message, count } of await this.#scan.source.notWalked())
      this.#notWalked.set(message, Math.max(count, this.#notWalked.get(message) ?? 0));
  }

  async #scanSchedules(): Promise<void> {
    const coverage = this.#found.begin('schedules');
    const step = () => `schedules: ${coverage.histories}`;
    this.#begin(step);
    await this.#schedules.read(this.#found);
    this.#scan.progress(step());
  }

  async #scanRuns(state: ScanState): Promise<void> {
    const { now, settleMs, sleep } = this.#scan;
    this.#found.begin('open');
    this.#found.begin('closed');
    let start = now().getTime();
    await this.#scanList(this.#scan.source.runs(''), state, 'runs');
    const isSettled = () => now().getTime() >= start + settleMs;
    for (;;) {
      if (!isSettled()) {
        const left = (): number => Math.max(0, start + settleMs - now().getTime());
        this.#begin(() => `waiting until new runs appear in the lists: ${duration(left())}`);
        await sleep(left());
      }
      const since = new Date(start - settleMs - MAX_SKEW_MS).toISOString();
      start = now().getTime();
      await this.#scanList(this.#scan.source.runs(`StartTime >= "${since}"`), state, 'new runs');
      if (now().getTime() - start <= MAX_CATCH_UP_MS) break;
    }
    await state.compact(this.#seen);
  }

  async #scanList(pages: AsyncIterable<readonly ListedRun[]>, state: ScanState, what: string): Promise<void> {
    const { source, progress } = this.#scan;
    let done = 0;
    this.#begin(() => `${what}: ${done}`);
    const reads = Readable.from(this.#unseen(pages)).map(
      async (run: ListedRun) => {
        await countRun(source, run, state, this.#found);
        return true;
      },
      { concurrency: CONCURRENCY },
    );
    for await (const _ of reads) done += 1;
    progress(`${what}: ${done}`);
  }

  async *#unseen(pages: AsyncIterable<readonly ListedRun[]>): AsyncGenerator<ListedRun, void> {
    for await (const page of pages) {
      for (const run of page) {
        if (this.#seen.has(run.runId)) continue;
        this.#seen.add(run.runId);
        yield run;
      }
    }
  }

  async #scanArchive(state: ScanState): Promise<void> {
    const { source } = this.#scan;
    const coverage = this.#found.begin('archived');
    this.#begin(() => `archived runs: ${coverage.histories}`);
    const seen = new Set<string>();
    for await (const page of source.archivedRuns()) {
      for (const run of page) {
        if (seen.has(run.runId)) continue;
        seen.add(run.runId);
        const known = state.get(run.runId);
        try {
          const read = known === undefined ? await readRun(source, { ...run, isOpen: false }) : undefined;
          const summary = known ?? read?.summary;
          if (summary !== undefined) await this.#found.count('archived', run, summary, known === undefined);
        } catch (error) {
          this.#found.miss('archived', error, run);
        }
      }
    }
  }

  async #scanExports(): Promise<void> {
    const { exports } = this.#scan;
    const gaps = new Map<string, ReturnType<ScanResults['addGap']>>();
    const coverage = this.#found.begin('exports');
    this.#begin(() => `exports: ${coverage.histories}`);
    const count = ({ history, summary }: ExportedHistory) =>
      this.#found.count('exports', history, summary, true);
    for (const source of exports) {
      await readExports(source, {
        history: count,
        unreadable: (file, reason) => {
          this.#found.fail('exports');
          const known = gaps.get(reason) ?? (gaps.size < MAX_REASONS ? undefined : [...gaps.values()].at(-1));
          if (known !== undefined) {
            known.count = (known.count ?? 1) + 1;
            return;
          }
          const message = `${file}: ${reason}`;
          gaps.set(reason, this.#found.addGap({ kind: 'unreadable', place: 'exports', message, count: 1 }));
        },
      });
    }
  }

  /** Runs a part of the scan. If the part fails, its places count as partially scanned, and the other parts continue. */
  async #guard(places: readonly ScanPlace[], part: () => Promise<void>): Promise<void> {
    try {
      await part();
    } catch (error) {
      if (places.length === 0) this.#found.miss(undefined, error);
      for (const place of places) this.#found.miss(place, error);
    }
  }
}
