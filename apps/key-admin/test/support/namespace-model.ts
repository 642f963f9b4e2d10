import type { Random } from '@temporal-kms/testing/random';
import {
  type ListedRun,
  type RangeSource,
  ScanError,
  type ScanSource,
} from '../../src/temporal/scan-source.ts';
import type { KeyModel } from './key-model.ts';
import { type Message, payloadOf } from './messages.ts';

const HOUR = 3_600_000;
const RETENTION = 24 * HOUR;
/** Maximum time until a run appears in the lists, in milliseconds. */
export const LAG = 30_000;

interface Run {
  readonly id: string;
  readonly number: number;
  readonly start: number;
  readonly visibleFrom: number;
  messages: Message[];
  /**
   * Heartbeat details of a pending activity. The server copies the details into an event when the activity
   * times out.
   */
  pending: Message[];
  close?: number;
  /** The time when the server last copied this run's messages into another run. */
  copied: number;
  /** The time when a person deletes the run. */
  deleteAt: number;
  deleted: boolean;
}

export class Crash extends Error {}

export interface WorldSource extends ScanSource, RangeSource {
  /** The scan calls this before it lists only new runs. From then on, each response takes only seconds. */
  readonly lookAtNewRuns: () => void;
}

/** A clock, whose time may differ from the time of other clocks. */
export interface Clock {
  readonly now: number;
  pass(milliseconds: number): void;
}

/**
 * An in-memory model of a Temporal namespace and the programs that use it. The model implements the rules
 * that decide which message needs which version, and shares no code with the scan.
 */
export class NamespaceModel {
  readonly name: string;
  /** The namespace's id, which no other namespace ever gets. */
  readonly id: string;
  readonly #random: Random;
  readonly #clock: Clock;
  /** The key; undefined if no program uses the key in this namespace. */
  readonly #key: KeyModel | undefined;
  readonly #runs: Run[] = [];
  readonly schedules = new Map<string, { messages: Message[]; created: number }>();

  constructor(name: string, id: string, random: Random, clock: Clock, key: KeyModel | undefined) {
    this.name = name;
    this.id = id;
    this.#random = random;
    this.#clock = clock;
    this.#key = key;
  }

  /** Copies everything from another namespace, as a migration between namespaces or servers does. */
  copyFrom(other: NamespaceModel): void {
    for (const run of other.existing)
      this.#runs.push({
        ...run,
        number: this.#runs.length,
        id: `${this.id}-run-${this.#runs.length}`,
        messages: [...run.messages],
        pending: [...run.pending],
      });
    for (const [id, { messages, created }] of other.schedules)
      this.schedules.set(id, { messages: [...messages], created });
  }

  /** Whether anything in this namespace needs the version. */
  needs(version: number): boolean {
    const isNeeded = (messages: readonly Message[]) => messages.some((one) => one.version === version);
    return (
      this.existing.some(({ messages, pending }) => isNeeded(messages) || isNeeded(pending)) ||
      [...this.schedules.values()].some(({ messages }) => isNeeded(messages))
    );
  }

  get existing(): readonly Run[] {
    return this.#runs.filter(({ deleted }) => !deleted);
  }

  #encrypt(): Message[] {
    return this.#key === undefined ? [] : [this.#key.encrypt()];
  }

  #start(messages: Message[]): Run {
    const run: Run = {
      id: `${this.id}-run-${this.#runs.length}`,
      number: this.#runs.length,
      start: this.#clock.now,
      visibleFrom: this.#clock.now + this.#random.next() * LAG,
      messages,
      pending: [],
      copied: 0,
      deleteAt: Infinity,
      deleted: false,
    };
    this.#runs.push(run);
    return run;
  }

  /** Copies a run's messages into another run, as the server does. */
  #copy(run: Run): void {
    run.copied = this.#clock.now;
    const some = run.messages.filter(() => this.#random.oneIn(2));
    this.#start(some.length > 0 ? some : run.messages.slice(0, 1));
  }

  /** Simulates a random event in the namespace. */
  act(): void {
    const existing = this.existing;
    const open = existing.filter(({ close }) => close === undefined);
    const any = existing.length > 0 ? this.#random.pick(existing) : undefined;
    const one = open.length > 0 ? this.#random.pick(open) : undefined;
    switch (this.#random.below(13)) {
      case 0:
      case 1:
        this.#start(this.#encrypt());
        break;
      case 2:
        one?.messages.push(...this.#encrypt());
        break;
      case 3:
        one?.pending.push(...this.#encrypt());
        break;
      case 4:
        if (one === undefined) break;
        // The activity times out, or completes.
        if (this.#random.oneIn(2)) one.messages.push(...one.pending);
        one.pending = [];
        break;
      case 5:
      case 6:
      case 7:
        if (one === undefined) break;
        Object.assign(one, { close: this.#clock.now, pending: [] });
        // The server copies a run for cron and for retries.
        if (this.#random.oneIn(3)) this.#copy(one);
        break;
      case 8:
        if (any === undefined || this.#random.oneIn(2)) break;
        this.#copy(any);
        // A person resets a run, and deletes the original run an hour or two later.
        if (this.#random.oneIn(2)) any.deleteAt = this.#clock.now + HOUR * (1 + this.#random.next());
        break;
      case 9:
        if (any !== undefined && this.#clock.now - any.copied > HOUR) any.deleted = true;
        break;
      case 10:
        this.schedules.set(`schedule-${this.#random.below(3)}`, {
          messages: this.#encrypt(),
          created: this.#clock.now,
        });
        break;
      case 11:
        this.schedules.delete(`schedule-${this.#random.below(3)}`);
        break;
      case 12:
        for (const { messages } of this.schedules.values())
          if (this.#random.oneIn(2)) this.#start([...messages]);
        break;
    }
    this.expire();
  }

  expire(): void {
    for (const run of this.#runs) {
      if ((run.close ?? Infinity) + RETENTION <= this.#clock.now || run.deleteAt <= this.#clock.now)
        run.deleted = true;
    }
  }
}

/**
 * Returns the source through which a scan reads a namespace, by the namespace's name. Before each response,
 * time passes, and `fail` may throw.
 * @param find returns the namespace that currently has the name
 * @param stepMs the longest time before a response, except that lists of new runs take only seconds
 */
export function sourceOf(
  find: () => NamespaceModel | undefined,
  clock: Clock,
  random: Random,
  stepMs: number,
  fail: () => void,
): WorldSource {
  let isNewRuns = false;
  const current = (): NamespaceModel => {
    const found = find();
    if (found === undefined) throw new ScanError('not_permitted', 'no such namespace');
    return found;
  };
  const answer = (): void => {
    clock.pass(random.next() * (isNewRuns ? 2_000 : stepMs));
    fail();
  };
  const now = () => clock.now;
  const existing = () => current().existing;
  const findRun = ({ runId }: ListedRun): Run | undefined => existing().find(({ id }) => id === runId);
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
    describe: async () => {
      answer();
      return { id: current().id, retentionSeconds: RETENTION / 1000, archive: 'none' };
    },
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
      const found = findRun(run);
      return (
        found && { pendingActivities: [{ heartbeatDetails: { payloads: found.pending.map(payloadOf) } }] }
      );
    },
    async *history(run) {
      answer();
      const found = findRun(run);
      if (found === undefined) return;
      yield [
        { workflowExecutionStartedEventAttributes: { input: { payloads: found.messages.map(payloadOf) } } },
        ...(found.close === undefined ? [] : [{ workflowExecutionCompletedEventAttributes: {} }]),
      ];
    },
    async *schedules() {
      answer();
      yield [...current().schedules.keys()];
    },
    async describeSchedule(id) {
      answer();
      const found = current().schedules.get(id);
      return (
        found && {
          schedule: { action: { startWorkflow: { input: { payloads: found.messages.map(payloadOf) } } } },
        }
      );
    },
    notWalked: async () => [],
  };
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

/**
 * Defines the order of lists: open runs come first, and then closed runs. In each group, the run that started
 * last comes first. A run that closes therefore moves towards the end of the list.
 */
function isBefore(a: Run, b: Run): boolean {
  if ((a.close === undefined) !== (b.close === undefined)) return a.close === undefined;
  return a.start === b.start ? a.number > b.number : a.start > b.start;
}

/** Returns a `fail` function: at a random call, it crashes the process, fails the call, or does nothing. */
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
