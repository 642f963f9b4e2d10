import type { KeyDescription } from '@temporal-kms/kms-codec';
import type { Random } from '@temporal-kms/testing/random';
import { type ListedRun, type RangeSource, ScanError, type ScanSource } from '../../src/scan/source.ts';
import { KEY, type Message, payloadOf } from './messages.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
const RETENTION = DAY;
/** How long a run takes to appear in the lists, at most. */
export const LAG = 30_000;

interface Run {
  readonly id: string;
  readonly number: number;
  readonly start: number;
  readonly visibleFrom: number;
  messages: Message[];
  /** Heartbeat details of a pending activity. The server copies them into an event when the activity times out. */
  pending: Message[];
  close?: number;
  /** When the server last copied its messages into another run. */
  copied: number;
  /** When a person deletes it. */
  deleteAt: number;
  deleted: boolean;
}

interface Process {
  version: number;
  /** When it took its branch key. */
  since: number;
}

export class Crash extends Error {}

export interface WorldSource extends ScanSource, RangeSource {
  /** From now on, lists are short. */
  readonly lookAtNewRuns: () => void;
}

/**
 * Temporal, Cloud KMS and the programs that use them, in memory: a model of the rules that decide which message needs which
 * version, which shares no code with the scan. Time passes only in `pass`.
 */
export class World {
  now = Date.UTC(2030, 0, 1);
  readonly random: Random;
  readonly versions: { version: number; created: number }[] = [{ version: 1, created: this.now - DAY }];
  /** Which version was made primary when, the latest last. */
  readonly primaries = [{ version: 1, time: this.now - DAY }];
  readonly processes: Process[] = [];
  readonly runs: Run[] = [];
  readonly schedules = new Map<string, { messages: Message[]; created: number }>();
  /** Whether programs also write messages whose header names no version. */
  readonly writesUnnamed: boolean;
  /** Whether Cloud KMS answers no program that asks for a new key. */
  readonly hasOutage: boolean;
  /** How many things happen per hour. */
  pace: number;

  constructor(random: Random) {
    this.random = random;
    this.writesUnnamed = random.oneIn(5);
    this.hasOutage = random.oneIn(2);
    this.pace = random.pick([0.2, 1, 4]);
    for (let n = random.below(3); n >= 0; n -= 1) this.processes.push({ version: 1, since: this.now });
    for (let n = random.below(6); n > 0; n -= 1) this.#act();
  }

  /** Lets time pass, and things happen meanwhile. */
  pass(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (;;) {
      const step = (-Math.log(1 - this.random.next()) * HOUR) / this.pace;
      if (this.now + step >= end) break;
      this.now += step;
      this.#act();
    }
    this.now = end;
    this.#expire();
  }

  get primary(): number {
    return this.primaries.at(-1)!.version;
  }

  rotate(): void {
    const version = this.versions.length + 1;
    this.versions.push({ version, created: this.now });
    // A version may be made primary long after it was created.
    if (!this.random.oneIn(4)) this.primaries.push({ version, time: this.now });
  }

  promoteLatest(): void {
    const version = this.versions.length;
    if (this.primary !== version) this.primaries.push({ version, time: this.now });
  }

  /** Whether anything that exists needs the version. */
  needs(version: number): boolean {
    const isNeeded = (messages: readonly Message[]) => messages.some((one) => one.version === version);
    return (
      this.#existing().some(({ messages, pending }) => isNeeded(messages) || isNeeded(pending)) ||
      [...this.schedules.values()].some(({ messages }) => isNeeded(messages))
    );
  }

  get description(): KeyDescription {
    return {
      key: KEY,
      protectionLevel: 'SOFTWARE',
      primary: this.primary,
      rotationPeriodSeconds: undefined,
      nextRotation: undefined,
      versions: this.versions.map(({ version, created }) => ({
        version,
        state: 'ENABLED',
        created: new Date(created),
        destroyTime: undefined,
      })),
    };
  }

  #existing(): Run[] {
    return this.runs.filter(({ deleted }) => !deleted);
  }

  /** Encrypts as a random program does: with its branch key, which it keeps for up to a day if Cloud KMS does not answer. */
  #encrypt(): Message {
    const process = this.random.pick(this.processes);
    const age = this.now - process.since;
    const isRefreshed = age > DAY || (age > HOUR && !this.hasOutage && !this.random.oneIn(3));
    if (isRefreshed) {
      // A new primary version may take hours to reach every server of Cloud KMS.
      const delay = this.random.next() * 3 * HOUR;
      const known =
        this.primaries.filter(({ time }) => time <= this.now - delay).at(-1) ?? this.primaries[0]!;
      Object.assign(process, { version: known.version, since: this.now });
    }
    return { version: process.version, named: !(this.writesUnnamed && this.random.oneIn(3)) };
  }

  #start(messages: Message[]): Run {
    const run: Run = {
      id: `run-${this.runs.length}`,
      number: this.runs.length,
      start: this.now,
      visibleFrom: this.now + this.random.next() * LAG,
      messages,
      pending: [],
      copied: 0,
      deleteAt: Infinity,
      deleted: false,
    };
    this.runs.push(run);
    return run;
  }

  /** The server copies messages of one run into another. */
  #copy(run: Run): void {
    run.copied = this.now;
    const some = run.messages.filter(() => this.random.oneIn(2));
    this.#start(some.length > 0 ? some : run.messages.slice(0, 1));
  }

  #act(): void {
    const existing = this.#existing();
    const open = existing.filter(({ close }) => close === undefined);
    const any = existing.length > 0 ? this.random.pick(existing) : undefined;
    const one = open.length > 0 ? this.random.pick(open) : undefined;
    switch (this.random.below(14)) {
      case 0:
      case 1:
        this.#start([this.#encrypt()]);
        break;
      case 2:
        one?.messages.push(this.#encrypt());
        break;
      case 3:
        one?.pending.push(this.#encrypt());
        break;
      case 4:
        if (one === undefined) break;
        // The activity times out, or completes.
        if (this.random.oneIn(2)) one.messages.push(...one.pending);
        one.pending = [];
        break;
      case 5:
      case 6:
      case 7:
        if (one === undefined) break;
        Object.assign(one, { close: this.now, pending: [] });
        // Cron and retries.
        if (this.random.oneIn(3)) this.#copy(one);
        break;
      case 8:
        if (any === undefined || this.random.oneIn(2)) break;
        this.#copy(any);
        // A person resets a run and deletes it later, but not within minutes.
        if (this.random.oneIn(2)) any.deleteAt = this.now + HOUR * (1 + this.random.next());
        break;
      case 9:
        if (any !== undefined && this.now - any.copied > HOUR) any.deleted = true;
        break;
      case 10:
        this.schedules.set(`schedule-${this.random.below(3)}`, {
          messages: [this.#encrypt()],
          created: this.now,
        });
        break;
      case 11:
        this.schedules.delete(`schedule-${this.random.below(3)}`);
        break;
      case 12:
        for (const { messages } of this.schedules.values())
          if (this.random.oneIn(2)) this.#start([...messages]);
        break;
      case 13:
        if (this.random.oneIn(6)) this.rotate();
        else if (this.random.oneIn(3)) this.promoteLatest();
        break;
    }
    this.#expire();
  }

  #expire(): void {
    for (const run of this.runs) {
      if ((run.close ?? Infinity) + RETENTION <= this.now || run.deleteAt <= this.now) run.deleted = true;
    }
  }

  /**
   * Returns the namespace as a scan reads it. Before each answer, time passes; `fail` may throw.
   * @param stepMs the longest time before an answer; the lists of new runs are short, so they take seconds
   */
  source(stepMs: number, fail: () => void): WorldSource {
    let isNewRuns = false;
    const answer = (): void => {
      this.pass(this.random.next() * (isNewRuns ? 2_000 : stepMs));
      fail();
    };
    const { schedules } = this;
    const now = () => this.now;
    const existing = () => this.#existing();
    const find = ({ runId }: ListedRun): Run | undefined => this.#existing().find(({ id }) => id === runId);
    const matching = (query: string): Run[] => {
      const bound = (operator: string) => new RegExp(`StartTime ${operator} "(.+?)"`).exec(query)?.[1];
      const [since, until] = [bound('>='), bound('<')];
      return existing()
        .filter(
          ({ start, visibleFrom }) =>
            visibleFrom <= now() && start >= timeOf(since, 0) && start < timeOf(until, Infinity),
        )
        .toSorted((a, b) => (isBefore(a, b) ? -1 : 1));
    };
    const tokens: Run[] = [];
    const page = (query: string, last: Run | undefined): Run[] => {
      answer();
      return matching(query)
        .filter((run) => last === undefined || isBefore(last, run))
        .slice(0, 3);
    };
    return {
      lookAtNewRuns: () => {
        isNewRuns = true;
      },
      describe: async () => ({ id: 'namespace', retentionSeconds: RETENTION / 1000, archive: 'none' }),
      async *runs(query) {
        isNewRuns = query !== '';
        for (let last: Run | undefined; ;) {
          const found = page(query, last);
          last = found.at(-1) && { ...found.at(-1)! };
          yield found.map(listed);
          if (found.length < 3) return;
        }
      },
      async countRuns(query) {
        answer();
        return matching(query).length;
      },
      async runPage(query, token) {
        const found = page(query, token.length === 0 ? undefined : tokens[token[0]! * 256 + token[1]!]);
        const runs = found.map(listed);
        if (found.length < 3) return { runs, nextPageToken: new Uint8Array() };
        tokens.push({ ...found.at(-1)! });
        return { runs, nextPageToken: Uint8Array.of((tokens.length - 1) >> 8, (tokens.length - 1) & 255) };
      },
      async *archivedRuns() {
        yield [];
      },
      async describeRun(run) {
        answer();
        const found = find(run);
        return (
          found && { pendingActivities: [{ heartbeatDetails: { payloads: found.pending.map(payloadOf) } }] }
        );
      },
      async *history(run) {
        answer();
        const found = find(run);
        if (found === undefined) return;
        yield [
          { workflowExecutionStartedEventAttributes: { input: { payloads: found.messages.map(payloadOf) } } },
          ...(found.close === undefined ? [] : [{ workflowExecutionCompletedEventAttributes: {} }]),
        ];
      },
      async *schedules() {
        answer();
        yield [...schedules.keys()];
      },
      async describeSchedule(id) {
        answer();
        const found = schedules.get(id);
        return (
          found && {
            schedule: { action: { startWorkflow: { input: { payloads: found.messages.map(payloadOf) } } } },
          }
        );
      },
      notWalked: async () => [],
    };
  }
}

const timeOf = (text: string | undefined, otherwise: number): number =>
  text === undefined ? otherwise : Date.parse(text);

const listed = ({ id, start, close }: Run): ListedRun => ({
  workflowId: id,
  runId: id,
  isOpen: close === undefined,
  startTime: start,
  closeTime: close,
});

/** Open runs come first, then the latest. A run that closes moves towards the end. */
function isBefore(a: Run, b: Run): boolean {
  if ((a.close === undefined) !== (b.close === undefined)) return a.close === undefined;
  return a.start === b.start ? a.number > b.number : a.start > b.start;
}

/** Throws at a random call, or refuses an answer, or does neither. */
export function trouble(random: Random): () => void {
  const kind = random.below(4);
  let calls = random.below(30);
  return () => {
    calls -= 1;
    if (calls !== 0) return;
    if (kind === 0) throw new Crash();
    if (kind === 1) throw new ScanError('unavailable', 'on demand');
  };
}
