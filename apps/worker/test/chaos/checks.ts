import type { FleetReport } from './report.ts';

/** A promise of the project, what a scenario observed, and whether the promise was kept. */
export interface Check {
  readonly scenario: string;
  readonly promise: string;
  readonly seen: string;
  readonly isKept: boolean;
}

/** Collects a scenario's observations, and prints its progress. */
export class Checks {
  readonly all: Check[] = [];
  /** Lines with a scenario's figures, which the scenario does not check. */
  readonly figures: string[] = [];
  readonly #scenario: string;
  readonly #print: (line: string) => void;
  readonly #slowdown: number;
  readonly #begin = performance.now();

  /** @param slowdown multiplies time limits, for a machine that is busy with other work */
  constructor(scenario: string, print: (line: string) => void, slowdown = 1) {
    this.#scenario = scenario;
    this.#print = print;
    this.#slowdown = slowdown;
  }

  /** Prints a line with the seconds since the start. */
  progress(line: string): void {
    const seconds = Math.round((performance.now() - this.#begin) / 1_000);
    this.#print(`${this.#scenario} ${String(seconds).padStart(4)} s: ${line}`);
  }

  check(promise: string, isKept: boolean, seen: string): void {
    this.all.push({ scenario: this.#scenario, promise, seen, isKept });
    if (!isKept) this.progress(`BROKEN: ${promise}; seen: ${seen}`);
  }

  /** Checks that a number is 0. */
  none(what: string, count: number): void {
    this.check(`no ${what}`, count === 0, String(count));
  }

  inTime(what: string, limitSeconds: number, seconds: number): void {
    const limit = limitSeconds * this.#slowdown;
    this.check(`${what}: at most ${limit.toFixed()} s`, seconds <= limit, `${seconds.toFixed(1)} s`);
  }

  figure(line: string): void {
    this.figures.push(line);
  }

  /** Checks the promises of every scenario: no workflow fails or is lost, and no worker ends. */
  nothingFailed({ completed, failed, reasons, lost, deadWorkers }: FleetReport): void {
    this.check('workflows complete', completed > 0, String(completed));
    this.check('no workflow failed', failed === 0, [String(failed), ...reasons.slice(0, 5)].join('; '));
    this.none('workflow was lost', lost);
    this.none('worker ended or was replaced', deadWorkers);
  }

  /** Checks that no activity ran again, and that no workflow task or client call failed. */
  nothingRepeated({ rerun, taskFailures, clientErrors }: FleetReport): void {
    this.none('activity ran again', rerun);
    this.none('workflow task failed or timed out', taskFailures);
    this.none('client call failed', clientErrors);
  }
}
