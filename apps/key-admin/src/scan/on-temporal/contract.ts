import type { ScanPart } from '../scan-part.ts';
import type { Stage, TimeRange } from '../passes.ts';
import type { RunsFound } from '../remote-runs.ts';

/*
 * The data that the client, the workflow and the activities of a scan on Temporal pass to each other. The
 * data consists of namespace names, run ids, key ids, times, counts and Temporal's page tokens, and contains
 * no payload and no workflow id. Temporal stores this data in plaintext, where everyone who can read the
 * workflows' namespace sees it.
 */

export const SCAN_WORKFLOW = 'temporalKmsScan';
export const PROGRESS_QUERY = 'progress';
export const DEFAULT_TASK_QUEUE = 'temporal-kms-scan';

/**
 * Returns the same workflow id for all scans of a namespace, so that only one scan runs at a time and calls stay within
 * the rate limit.
 */
export const workflowIdOf = (namespaceId: string): string => `temporal-kms-scan-${namespaceId}`;

/** Maximum number of a scan's activities that run at the same time, on all workers together. */
export const MAX_SLOTS = 16;

/** Maximum number of attempts of an activity. Runs that the last attempt cannot read become gaps. */
export const MAX_ATTEMPTS = 30;

/** The input that every activity needs. */
interface ScanScope {
  /**
   * Identifies the scan for the client that started the scan, and for workers that remember which objects they have
   * read.
   */
  readonly scanId: string;
  readonly namespace: string;
  readonly namespaceId: string;
  /** How long Temporal keeps closed runs of the namespace, in seconds. */
  readonly retentionSeconds: number;
  /** The header ids of the namespace's configured crypto keys. */
  readonly keyIds: readonly string[];
}

export interface ScanInput extends ScanScope {
  /** Maximum calls per second to Temporal, and to external storage, of all workers together. */
  readonly rps: number;
  readonly settleMs: number;
  /** The progress from which the scan continues after continue-as-new. */
  readonly progress?: ScanProgress;
}

export interface ScanProgress {
  readonly stage: Stage;
  /** The findings of the completed stages. */
  readonly found: ScanPart;
  /** The findings of this stage so far. */
  readonly stageFound: ScanPart;
  /** Shards of this stage that are planned but not yet scanned. */
  readonly shards: readonly TimeRange[];
  /** The part of this stage's range that is not planned yet. */
  readonly rest?: TimeRange;
  /** Maximum number of runs in a shard of this stage. */
  readonly shardSize?: number;
  /**
   * Number of this stage's activities that run at the same time. Each activity gets an equal share of the
   * rate.
   */
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

export interface ShardInput extends ScanScope {
  readonly range: TimeRange;
  readonly rps: number;
}

export interface ScanActivities {
  planShards(input: PlanInput): Promise<Plan>;
  scanShard(input: ShardInput): Promise<ScanPart>;
}

export type ScanWorkflow = (input: ScanInput) => Promise<RunsFound>;
