import { setTimeout as sleep } from 'node:timers/promises';
import { type NodeProcess, startNode } from '@temporal-kms/testing/process';
import { z } from 'zod';
import {
  type Environment,
  type Failures,
  failures,
  type Memory,
  memory,
  type Readiness,
  readiness,
  type Role,
} from './settings.ts';

const logLine = z.looseObject({ message: z.string() });
type LogLine = z.infer<typeof logLine>;

/** One execution of an activity. */
export interface ActivityRun {
  /** The ids of the workflow and of the activity. */
  readonly activity: string;
  /** When the execution began, in ms of `machineTime`. */
  readonly at: number;
}

/** One worker process of a fleet. */
export interface FleetWorker extends NodeProcess {
  readonly role: Role;
  /** A name for the scenario's log, such as `activities 2`. */
  readonly name: string;
  /** Returns the response of `/readyz`, or undefined if there is none within 2 s. */
  readyz(): Promise<Readiness | undefined>;
  /**
   * Waits until `/readyz` returns 200.
   * @returns the duration in seconds
   * @throws Error if the wait takes longer than `limitMs`
   */
  untilReady(limitMs?: number): Promise<number>;
  /** Waits until `/readyz` returns 503. Returns the response, and the duration in seconds. */
  untilNotReady(
    limitMs?: number,
  ): Promise<{ readonly seconds: number; readonly answer: Readiness | undefined }>;
  /** Moves the process's clock. */
  advance(ms: number): Promise<void>;
  /** Collects garbage, and returns the memory in use. */
  memory(): Promise<Memory>;
  /** Returns the lines of the log so far. */
  log(): LogLine[];
  /** Returns how many encode and decode calls failed, or undefined if there is no response within 2 s. */
  failures(): Promise<Failures | undefined>;
  /** Returns all executions of activities so far. */
  runs(): ActivityRun[];
}

const file = `${import.meta.dirname}/worker.ts`;

export function startFleetWorker(role: Role, name: string, env: Environment): FleetWorker {
  const running = startNode(file, { args: [role], env, nodeOptions: ['--expose-gc'] });
  let port = '';
  const request = async (path: string, limitMs: number): Promise<Response | undefined> => {
    port ||= /^listening (\d+)$/m.exec(running.stdout())?.[1] ?? '';
    if (port === '') return undefined;
    return await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(limitMs) }).catch(
      () => undefined,
    );
  };
  const required = async (path: string): Promise<Response> => {
    const response = await request(path, 30_000);
    if (!response?.ok) throw new Error(`The worker ${name} does not answer ${path}:\n${tail(running)}`);
    return response;
  };
  const readyz = async (): Promise<Readiness | undefined> => {
    const response = await request('/readyz', 2_000);
    return response && { http: response.status, ...readiness.parse(await response.json()) };
  };
  const until = async (wanted: (http: number | undefined) => boolean, what: string, limitMs: number) => {
    const begin = performance.now();
    for (;;) {
      const answer = await readyz();
      const seconds = (performance.now() - begin) / 1_000;
      if (wanted(answer?.http)) return { seconds, answer };
      const problem = running.isRunning() ? `is not ${what} after ${Math.round(seconds)} s` : 'has ended';
      if (!running.isRunning() || seconds * 1_000 > limitMs) {
        throw new Error(`The worker ${name} ${problem}: ${JSON.stringify(answer)}\n${tail(running)}`);
      }
      await sleep(100);
    }
  };
  return {
    ...running,
    role,
    name,
    readyz,
    untilReady: async (limitMs = 90_000) => (await until((http) => http === 200, 'ready', limitMs)).seconds,
    untilNotReady: (limitMs = 90_000) => until((http) => http === 503, 'unready', limitMs),
    advance: async (ms) => void (await required(`/advance?ms=${ms}`)),
    failures: async () => {
      const response = await request('/failures', 2_000);
      return response && failures.parse(await response.json());
    },
    memory: async () => memory.parse(await (await required('/memory')).json()),
    log: () =>
      lines(running.stderr())
        .filter((line) => line.startsWith('{') && line.endsWith('}'))
        .map((line) => logLine.parse(JSON.parse(line))),
    runs: () =>
      lines(running.stdout())
        .filter((line) => line.startsWith('run '))
        .map((line) => {
          const [, workflow, activity, , at] = line.split(' ');
          return { activity: `${workflow} ${activity}`, at: Number(at) };
        }),
  };
}

/** Returns the lines of the text, except for the last line, which may be incomplete. */
const lines = (text: string): string[] => text.split('\n').slice(0, -1);

const tail = (running: NodeProcess): string => running.output().slice(-2_000);
