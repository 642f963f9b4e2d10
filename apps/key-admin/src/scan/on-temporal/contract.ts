import type { ScanPart } from '../scan-part.ts';
import type { Stage, TimeRange } from '../passes.ts';
import type { RunsFound } from '../remote-runs.ts';

/*
 * What the client, the workflow and the activities of a scan on Temporal pass to each other. It contains names of namespaces,
 * run ids, key ids, times, counts and page tokens of Temporal. It contains no payload and no workflow id: Temporal stores it
 * in plaintext, for the readers of the namespace in which the workflows run.
 */

export const SCAN_WORKFLOW = 'temporalKmsScan';
export const PROGRESS_QUERY = 'progress';
export const DEFAULT_TASK_QUEUE = 'temporal-kms-scan';

/** One scan of a namespace at a time, so that its rate holds. */
export const workflowIdOf = (namespaceId: string): string => `temporal-kms-scan-${namespaceId}`;

/** Activities of a scan that run at the same time, at most, on all workers. */
export const MAX_SLOTS = 16;

/** Attempts of an activity. After the last, what it could not read is a gap. */
export const MAX_ATTEMPTS = 30;

/** What every activity needs to know. */
interface ScanScope {
  readonly namespace: string;
  readonly namespaceId: string;
  /** For how long Temporal keeps closed runs of the namespace. */
  readonly retentionSeconds: number;
  /** Ids in headers of the crypto keys of the namespace's configuration. */
  readonly keyIds: readonly string[];
}

export interface ScanInput extends ScanScope {
  /** Identifies the scan for the client that started it. */
  readonly scanId: string;
  /** Calls to Temporal per second, of all workers together. */
  readonly rps: number;
  readonly settleMs: number;
  /** Where the scan continues after continue-as-new. */
  readonly progress?: ScanProgress;
}

export interface ScanProgress {
  readonly stage: Stage;
  /** What the stages that have ended found. */
  readonly found: ScanPart;
  /** What this stage has found. */
  readonly stageFound: ScanPart;
  /** Shards of this stage that are planned and not scanned. */
  readonly shards: readonly TimeRange[];
  /** The part of this stage's range that is not planned yet. */
  readonly rest?: TimeRange;
  /** Runs of a shard of this stage, at most. */
  readonly shardSize?: number;
  /** Activities of this stage that run at the same time. Each has an equal share of the rate. */
  readonly slots?: number;
  readonly shardsDone: number;
}

export interface ScanStatus {
  readonly stage: Stage['kind'];
  readonly shardsDone: number;
  readonly shardsRunning: number;
  readonly runs: number;
}

interface PlanInput extends ScanScope {
  readonly range: TimeRange;
  readonly rps: number;
  readonly slots: number;
  readonly shardSize?: number;
}

export interface Plan {
  readonly shards: readonly TimeRange[];
  readonly rest?: TimeRange;
  readonly shardSize: number;
}

interface ShardInput extends ScanScope {
  readonly range: TimeRange;
  readonly rps: number;
}

export interface ScanActivities {
  planShards(input: PlanInput): Promise<Plan>;
  scanShard(input: ShardInput): Promise<ScanPart>;
}

export type ScanWorkflow = (input: ScanInput) => Promise<RunsFound>;
