import { Readable } from 'node:stream';
import type { ScanCoverage, ScanGap, ScannedNamespace, ScanPlace } from '@temporal-kms/codec-api';
import { type ExportedHistory, type ExportSource, readExports } from './exports.ts';
import { readRun } from './read-run.ts';
import { readSchedule } from './schedules.ts';
import { type ListedRun, type NamespaceDescription, ScanError, type ScanSource } from './source.ts';
import type { ScanState } from './state.ts';
import { NamespaceTally, type TalliedHistory } from './tally.ts';

/** Histories that are read at the same time. */
const CONCURRENCY = 8;
/** Reasons why exports cannot be read that the report distinguishes. */
const MAX_REASONS = 100;
/** How far Temporal's clock may be from this machine's. */
const MAX_SKEW_MS = 300_000;
/** A pass over new runs that took longer is followed by another, over the runs that started meanwhile. */
const MAX_CATCH_UP_MS = 600_000;

export interface NamespaceScan {
  readonly source: ScanSource;
  readonly namespace: string;
  /** The crypto keys of the namespace's configuration. */
  readonly keys: readonly string[];
  readonly openState: (namespaceId: string) => Promise<ScanState>;
  readonly exports: readonly ExportSource[];
  /** How long a run may take to appear in Temporal's lists, in milliseconds. */
  readonly settleMs: number;
  readonly now: () => Date;
  readonly sleep: (milliseconds: number) => Promise<unknown>;
  readonly progress: (text: string) => void;
}

/**
 * Scans a namespace. What cannot be read becomes a gap of the report.
 *
 * Temporal has no snapshot: runs start, close and disappear while a scan lists them. A payload under an old key version can
 * then only come from a copy that the server makes: of a schedule's input when the schedule starts a run, and of a run's
 * payloads when it is retried, repeated by cron or reset. Therefore schedules come first, then all runs, and then, after the
 * time that a run needs to appear in the lists, the runs that were started since. A copy whose original the scan has missed
 * is then in the last list. Last come the schedules that the first list did not contain.
 */
export async function scanNamespace(scan: NamespaceScan): Promise<ScannedNamespace> {
  return await new Scan(scan).run();
}

class Scan {
  readonly #scan: NamespaceScan;
  readonly #tally: NamespaceTally;
  readonly #gaps: ScanGap[] = [];
  readonly #coverage: Record<ScanPlace, { -readonly [Field in keyof ScanCoverage]: ScanCoverage[Field] }> = {
    open: notLookedAt(),
    closed: notLookedAt(),
    schedules: notLookedAt(),
    archived: notLookedAt(),
    exports: notLookedAt(),
  };
  /** The ids of the runs that were listed. */
  readonly #seen = new Set<string>();
  /** The ids of the runs whose payloads were counted, in any place. */
  readonly #counted = new Set<string>();
  /** The ids of the schedules that were listed. */
  readonly #schedules = new Set<string>();
  /** Schedules that keep a result of an earlier run, and the run that contains it. Undefined: no run is known. */
  readonly #keptResults = new Map<string, string | undefined>();
  readonly #notWalked = new Map<string, number>();

  constructor(scan: NamespaceScan) {
    this.#scan = scan;
    this.#tally = new NamespaceTally(scan.keys);
  }

  async run(): Promise<ScannedNamespace> {
    const { source, namespace, exports, now } = this.#scan;
    const started = now();
    let description: NamespaceDescription | undefined;
    await this.#guard([], async () => {
      description = await source.describe();
      const state = await this.#scan.openState(description.id);
      await this.#scanAll(description, state);
    });
    if (description === undefined)
      for (const place of ['open', 'closed', 'schedules'] as const) this.#fail(place);
    const gaps = [...this.#gaps, ...this.#tally.gaps];
    return {
      namespace,
      started: started.toISOString(),
      finished: now().toISOString(),
      complete:
        gaps.length === 0 && Object.values(this.#coverage).every(({ status }) => status !== 'partial'),
      ...(description === undefined ? {} : { retentionSeconds: description.retentionSeconds }),
      looked: this.#coverage,
      exports: exports.map(({ location }) => location),
      keys: this.#tally.keys,
      findings: this.#tally.findings,
      gaps,
    };
  }

  async #scanAll({ archive }: NamespaceDescription, state: ScanState): Promise<void> {
    const { exports } = this.#scan;
    // A batch operation may end while the scan runs, so they are looked at before and after.
    await this.#guard([], () => this.#lookForOthers());
    await this.#guard(['schedules'], () => this.#scanSchedules());
    await this.#guard(['open', 'closed'], () => this.#scanRuns(state));
    await this.#guard(['schedules'], () => this.#scanSchedules());
    if (archive === 'listed') await this.#guard(['archived'], () => this.#scanArchive(state));
    if (archive === 'unlisted') {
      this.#fail('archived');
      this.#gaps.push({
        kind: 'not_offered',
        place: 'archived',
        message:
          'Temporal archives histories of this namespace without an archive of visibility records, which would list them.',
      });
    }
    if (exports.length > 0) await this.#guard(['exports'], () => this.#scanExports());
    await this.#guard([], () => this.#lookForOthers());
    for (const [message, count] of this.#notWalked) this.#gaps.push({ kind: 'not_walked', message, count });
    this.#checkKeptResults();
    await state.flush();
  }

  async #lookForOthers(): Promise<void> {
    for (const { message, count } of await this.#scan.source.notWalked())
      this.#notWalked.set(message, Math.max(count, this.#notWalked.get(message) ?? 0));
  }

  /** Reads the schedules that no earlier call has listed. */
  async #scanSchedules(): Promise<void> {
    const { source, progress } = this.#scan;
    const coverage = this.#begin('schedules');
    const unseen: string[] = [];
    // The whole list first: while schedules are described, others may move between its pages.
    for await (const ids of source.schedules()) unseen.push(...ids.filter((id) => !this.#schedules.has(id)));
    for (const id of new Set(unseen)) {
      this.#schedules.add(id);
      const description = await source.describeSchedule(id);
      if (description === undefined) continue;
      const { summary, created, keptResult } = readSchedule(description);
      this.#count('schedules', { workflowId: id, startTime: created }, summary, true);
      if (keptResult.is === 'in_run') this.#keptResults.set(id, keptResult.runId);
      if (keptResult.is === 'hidden') this.#keptResults.set(id, undefined);
      if (coverage.histories % 1_000 === 0) progress(`schedules: ${coverage.histories}`);
    }
    progress(`schedules: ${coverage.histories}`);
  }

  /** Notes the schedules that keep a result which no history contains that was read. */
  #checkKeptResults(): void {
    const hidden = [...this.#keptResults].filter(
      ([, runId]) => runId === undefined || !this.#counted.has(runId),
    );
    const [first] = hidden;
    if (first === undefined) return;
    const [workflowId] = first;
    this.#fail('schedules');
    this.#gaps.push({
      kind: 'not_walked',
      place: 'schedules',
      message:
        'The schedule keeps the result of an earlier run, which Temporal does not show. Trigger it once, or create it anew.',
      count: hidden.length,
      example: { workflowId },
    });
  }

  async #scanRuns(state: ScanState): Promise<void> {
    const { now, settleMs, sleep, progress } = this.#scan;
    this.#begin('open');
    this.#begin('closed');
    let start = now().getTime();
    await this.#scanList(this.#scan.source.runs(''), state, 'runs');
    const isSettled = () => now().getTime() >= start + settleMs;
    for (;;) {
      if (!isSettled()) {
        progress('waiting until new runs appear in the lists');
        await sleep(start + settleMs - now().getTime());
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
    const reads = Readable.from(this.#unseen(pages)).map(
      async (run: ListedRun) => {
        const known = run.isOpen ? undefined : state.get(run.runId);
        if (known !== undefined) this.#count('closed', run, known, false);
        else await this.#readRun(source, run, state);
        return true;
      },
      { concurrency: CONCURRENCY },
    );
    let done = 0;
    for await (const _ of reads) {
      done += 1;
      if (done % 1_000 === 0) {
        progress(`${what}: ${done}`);
        await state.flush();
      }
    }
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

  async #readRun(source: ScanSource, run: ListedRun, state: ScanState): Promise<void> {
    const place = run.isOpen ? 'open' : 'closed';
    try {
      const read = await readRun(source, run);
      if (read === undefined) return;
      this.#count(place, run, read.summary, true);
      // An open run's summary may contain pending work, which its history will not contain.
      if (place === 'closed' && read.isClosed) state.set(run.runId, read.summary);
    } catch (error) {
      this.#miss(place, error, run);
    }
  }

  async #scanArchive(state: ScanState): Promise<void> {
    const { source } = this.#scan;
    this.#begin('archived');
    const seen = new Set<string>();
    for await (const page of source.archivedRuns()) {
      for (const run of page) {
        if (seen.has(run.runId)) continue;
        seen.add(run.runId);
        const known = state.get(run.runId);
        try {
          const read = known === undefined ? await readRun(source, { ...run, isOpen: false }) : undefined;
          const summary = known ?? read?.summary;
          if (summary !== undefined) this.#count('archived', run, summary, known === undefined);
        } catch (error) {
          this.#miss('archived', error, run);
        }
      }
    }
  }

  async #scanExports(): Promise<void> {
    const { exports, progress } = this.#scan;
    const gaps = new Map<string, ScanGap & { count: number }>();
    const coverage = this.#begin('exports');
    const count = ({ history, summary }: ExportedHistory) => this.#count('exports', history, summary, true);
    for (const source of exports) {
      await readExports(source, {
        history: count,
        unreadable: (file, reason) => {
          this.#fail('exports');
          const known = gaps.get(reason) ?? (gaps.size < MAX_REASONS ? undefined : [...gaps.values()].at(-1));
          if (known !== undefined) {
            known.count += 1;
            return;
          }
          const gap: ScanGap & { count: number } = {
            kind: 'unreadable',
            place: 'exports',
            message: `${file}: ${reason}`,
            count: 1,
          };
          gaps.set(reason, gap);
          this.#gaps.push(gap);
        },
        file: () => progress(`exports: ${coverage.histories}`),
      });
    }
  }

  #begin(place: ScanPlace): ScanCoverage {
    // A place that has failed already stays partial.
    if (this.#coverage[place].status === 'none') this.#coverage[place].status = 'complete';
    return this.#coverage[place];
  }

  #fail(place: ScanPlace): void {
    this.#coverage[place].status = 'partial';
  }

  #count(
    place: ScanPlace,
    history: TalliedHistory,
    summary: Parameters<NamespaceTally['add']>[2],
    wasRead: boolean,
  ): void {
    const { workflowId, runId, startTime, closeTime } = history;
    if (runId !== undefined) this.#counted.add(runId);
    this.#tally.add(
      place,
      { workflowId, ...(runId === undefined ? {} : { runId }), startTime, closeTime },
      summary,
    );
    const coverage = this.#coverage[place];
    coverage.histories += 1;
    coverage.payloads += summary.payloads;
    if (wasRead) coverage.read += 1;
  }

  /** Runs a part of the scan. If it fails, its places are partial, and the other parts continue. */
  async #guard(places: readonly ScanPlace[], part: () => Promise<void>): Promise<void> {
    try {
      await part();
    } catch (error) {
      if (places.length === 0) this.#miss(undefined, error);
      for (const place of places) this.#miss(place, error);
    }
  }

  #miss(place: ScanPlace | undefined, error: unknown, run?: ListedRun): void {
    if (!(error instanceof ScanError)) throw error;
    if (place !== undefined) this.#fail(place);
    const { kind, message } = error;
    const known = this.#gaps.find(
      (gap) => gap.kind === kind && gap.place === place && gap.message === message,
    );
    if (known !== undefined) {
      known.count = (known.count ?? 1) + 1;
      return;
    }
    this.#gaps.push({
      kind,
      message,
      ...(place === undefined ? {} : { place }),
      ...(run === undefined ? {} : { count: 1, example: { workflowId: run.workflowId, runId: run.runId } }),
    });
  }
}

const notLookedAt = (): ScanCoverage => ({ status: 'none', histories: 0, read: 0, payloads: 0 });
