import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';

/** Workflows of `workflows.ts` that a load can execute. */
export type LoadedWorkflow = 'shipment' | 'delivery' | 'payment' | 'order';

export interface LoadOptions {
  readonly client: Client;
  readonly taskQueue: string;
  readonly workflow: LoadedWorkflow;
}

/** How long the client pauses after a failed call, in milliseconds. */
const RETRY_MS = 500;

/** Keeps a number of workflows in progress, and counts their outcomes. */
export class Load {
  readonly ids: string[] = [];
  completed = 0;
  /** The reasons why workflows failed. */
  readonly failures: string[] = [];
  /**
   * Number of the client's calls that failed although the workflow did not fail. The client retries these
   * calls.
   */
  clientErrors = 0;
  readonly #options: LoadOptions;
  readonly #inProgress = new Set<Promise<void>>();
  #loops: Promise<unknown>[] = [];
  #stopping = new AbortController();
  readonly #abandoning = new AbortController();
  #lastCompletion = performance.now();
  #longestGap = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /**
   * From now on, keeps `inFlight` workflows in progress.
   * @param limit maximum number of workflows to start
   */
  start(inFlight: number, limit = Number.POSITIVE_INFINITY): this {
    this.#stopping = new AbortController();
    const { signal } = this.#stopping;
    const last = this.ids.length + limit;
    const oneAfterAnother = async (): Promise<void> => {
      while (!signal.aborted && this.ids.length < last) {
        const one = this.#execute();
        this.#inProgress.add(one);
        await one.finally(() => this.#inProgress.delete(one));
      }
    };
    this.#loops = Array.from({ length: inFlight }, oneAfterAnother);
    return this;
  }

  /** Waits until `inFlight` workflows have completed, so that caches are full. */
  async warm(): Promise<void> {
    const wanted = this.completed + this.#loops.length;
    while (this.completed < wanted) await sleep(50);
  }

  /** Waits for `ms`, and returns how many workflows completed per second. */
  async rate(ms: number): Promise<number> {
    const before = this.completed;
    const begin = performance.now();
    await sleep(ms);
    return ((this.completed - before) * 1_000) / (performance.now() - begin);
  }

  /** Waits until every workflow that is in progress now has ended. @returns the duration in seconds */
  async settled(): Promise<number> {
    const begin = performance.now();
    await Promise.all(this.#inProgress);
    return (performance.now() - begin) / 1_000;
  }

  /** Returns the longest time without a completion since the last call, in seconds. */
  longestGap(): number {
    const gap = Math.max(this.#longestGap, performance.now() - this.#lastCompletion);
    this.#longestGap = 0;
    this.#lastCompletion = performance.now();
    return gap / 1_000;
  }

  /**
   * Starts no further workflows or, if the load has a limit, waits until it has started all workflows. Then
   * waits until the workflows in progress have ended.
   */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.finished();
  }

  /** Waits until a load with a limit has ended. */
  async finished(): Promise<void> {
    await Promise.all(this.#loops);
  }

  /** Ends the client's calls without waiting for the workflows in progress. */
  async abandon(): Promise<void> {
    this.#abandoning.abort();
    await this.stop();
  }

  #execute(): Promise<void> {
    const { signal } = this.#abandoning;
    return this.#options.client.withAbortSignal(signal, () => this.#executeUntil(signal));
  }

  async #executeUntil(signal: AbortSignal): Promise<void> {
    const { client, taskQueue, workflow } = this.#options;
    const workflowId = randomUUID();
    this.ids.push(workflowId);
    let handle: WorkflowHandle | undefined;
    while (!signal.aborted) {
      try {
        handle ??= await client.workflow.start(workflow, {
          workflowId,
          taskQueue,
          args: [`customer of ${workflowId}`],
        });
        await handle.result();
        this.#completed();
        return;
      } catch (error) {
        if (error instanceof WorkflowFailedError) {
          this.failures.push(causesOf(error));
          return;
        }
        // The server had already accepted the start, but its response did not arrive.
        if (error instanceof WorkflowExecutionAlreadyStartedError)
          handle = client.workflow.getHandle(workflowId);
        else {
          this.clientErrors += 1;
          await sleep(RETRY_MS);
        }
      }
    }
  }

  #completed(): void {
    const now = performance.now();
    this.#longestGap = Math.max(this.#longestGap, now - this.#lastCompletion);
    this.#lastCompletion = now;
    this.completed += 1;
  }
}

/** Returns the messages of an error and of its causes. */
function causesOf(error: Error): string {
  const { cause } = error;
  return cause instanceof Error ? `${error.message} < ${causesOf(cause)}` : error.message;
}
