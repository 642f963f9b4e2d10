import { cryptoKeyId } from '@temporal-kms/kms-codec';
import type { Random } from '@temporal-kms/testing/random';
import { ScanResults } from '../../src/scan/scan-results.ts';
import { planShards } from '../../src/scan/on-temporal/plan.ts';
import { runStage, type StageWork } from '../../src/scan/on-temporal/run-stage.ts';
import { type Checkpoint, scanRange } from '../../src/scan/on-temporal/scan-range.ts';
import { type MutableProgress, runStages, startProgress } from '../../src/scan/on-temporal/stages.ts';
import type { ScanPart } from '../../src/scan/scan-part.ts';
import type { TimeRange } from '../../src/scan/passes.ts';
import type { RemoteRuns } from '../../src/scan/remote-runs.ts';
import { ScanError } from '../../src/temporal/scan-source.ts';
import { ScanState } from '../../src/scan/state.ts';
import { KEY } from './messages.ts';
import { type Clock, Crash, LAG, type WorldSource } from './namespace-model.ts';
import type { World } from './world.ts';

/** Maximum number of attempts of an activity. */
const MAX_ATTEMPTS = 3;
/** Maximum number of runs in a shard. */
const SHARD_SIZE = 2;

/** Thrown when a worker is killed. */
class Killed extends Error {}

/** Thrown when the workflow continues as new. */
class Continued extends Error {
  readonly progress: MutableProgress;

  constructor(progress: MutableProgress) {
    super();
    this.progress = progress;
  }
}

/**
 * Scans runs as the workflow and its activities do, but without Temporal. Activities take turns in random
 * order, some are killed and then continue from their checkpoints, and the workflow continues as new at
 * random moments.
 */
export function scanInShards(world: World, source: WorldSource, clock: Clock, file: string): RemoteRuns {
  const { random } = world;
  const now = () => Math.ceil(clock.now);
  const rps = 1 + random.below(4);
  const inTurn = takeTurns(random, rps);

  const scanShard = async (range: TimeRange, attempt = 1, from?: Checkpoint): Promise<ScanPart> => {
    let last = from;
    try {
      return await scanRange({
        source,
        range,
        keyIds: [cryptoKeyId(KEY)],
        state: await ScanState.open(file),
        from,
        isLastAttempt: attempt === MAX_ATTEMPTS,
        checkpoint: (checkpoint) => {
          last = checkpoint;
          if (attempt === 1 && random.oneIn(3)) throw new Killed();
        },
        signal: new AbortController().signal,
      });
    } catch (error) {
      const isUnavailable = error instanceof ScanError && error.kind === 'unavailable';
      if (error instanceof Killed || (isUnavailable && attempt < MAX_ATTEMPTS))
        return await scanShard(range, attempt + 1, last);
      throw error;
    }
  };

  const work: StageWork = {
    rps,
    plan: ({ range, rps: share, slots }) =>
      inTurn(share, async () => {
        const { shards } = await planShards(source, range, slots, now(), SHARD_SIZE);
        // Sometimes returns only the first shards and leaves the rest of the range, as if the range had many
        // runs.
        const next = shards[1 + random.below(3)];
        if (next === undefined) return { shards, shardSize: SHARD_SIZE };
        return {
          shards: shards.slice(0, shards.indexOf(next)),
          rest: { ...range, from: next.from },
          shardSize: SHARD_SIZE,
        };
      }),
    scan: ({ range, rps: share }) => inTurn(share, () => scanShard(range)),
    missed: (error) => {
      const found = new ScanResults([]);
      for (const place of ['open', 'closed'] as const) found.miss(place, error);
      return found.toPart();
    },
    isFull: () => random.oneIn(4),
    continueAsNew: async (progress) => {
      throw new Continued(JSON.parse(JSON.stringify(progress)));
    },
  };

  const runWorkflow = async (progress: MutableProgress): ReturnType<RemoteRuns['run']> => {
    try {
      return await runStages(progress, {
        settleMs: LAG,
        now,
        sleep: async (milliseconds) => world.pass(milliseconds),
        runStage: async () => {
          if (progress.stage.kind !== 'first') source.lookAtNewRuns();
          await runStage(progress, work);
        },
      });
    } catch (error) {
      if (error instanceof Continued) return await runWorkflow(error.progress);
      throw error;
    }
  };
  return {
    resume: async () => undefined,
    end: async () => undefined,
    run: () => runWorkflow(startProgress(now(), LAG)),
  };
}

/**
 * Returns a function that runs one piece of work at a time, in a random order that depends only on the seed.
 * The total rate of all work, even of work that still waits, must not exceed `rps`.
 */
function takeTurns(random: Random, rps: number) {
  const waiting: { share: number; run: () => Promise<void> }[] = [];
  let isWorking = false;
  const workOff = async (): Promise<void> => {
    isWorking = true;
    // Waits until the list contains all work that starts at the same time, and then chooses one piece.
    await Promise.resolve();
    try {
      for (;;) {
        const next = waiting.length > 0 ? random.pick(waiting) : undefined;
        if (next === undefined) return;
        await next.run();
        waiting.splice(waiting.indexOf(next), 1);
      }
    } finally {
      isWorking = false;
    }
  };
  return async <T>(share: number, work: () => Promise<T>): Promise<T> =>
    await new Promise<T>((resolve, reject) => {
      const run = async (): Promise<void> => {
        try {
          resolve(await work());
        } catch (error) {
          // If the process crashes, all its waiting work ends.
          if (error instanceof Crash) waiting.length = 0;
          reject(error);
        }
      };
      waiting.push({ share, run });
      const total = waiting.reduce((sum, one) => sum + one.share, 0);
      if (total > rps * 1.001) throw new Error(`The activities have a rate of ${total} in place of ${rps}.`);
      if (!isWorking) void workOff();
    });
}
