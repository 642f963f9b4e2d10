import { Random } from '@temporal-kms/testing/random';
import { describe, expect, it } from 'vitest';
import { planShards } from '../../src/scan/on-temporal/plan.ts';
import { mergeStage, runStages, startProgress } from '../../src/scan/on-temporal/stages.ts';
import { emptyPart, mergeParts, type ScanPart } from '../../src/scan/scan-part.ts';
import { firstStage, nextStage, settleTime, type Stage, type TimeRange } from '../../src/scan/passes.ts';

const NOW = Date.UTC(2030, 0, 1);
const DAY = 86_400_000;

function source(starts: readonly number[]) {
  const inRange = (query: string): number[] => {
    const [since = '', until] = [...query.matchAll(/"(.+?)"/g)].map(([, time = '']) => time);
    return starts.filter(
      (start) => start >= Date.parse(since) && (until === undefined || start < Date.parse(until)),
    );
  };
  return { countRuns: async (query: string) => inRange(query).length };
}

describe('planShards', () => {
  it('covers each run once, with at most the requested number of runs per shard', async () => {
    const random = new Random(1);
    for (let round = 0; round < 50; round += 1) {
      const starts = Array.from({ length: random.below(400) }, () =>
        random.oneIn(3) ? NOW - 1_000 : Math.floor(NOW - random.next() * random.pick([1_000, DAY])),
      );
      const range: TimeRange = random.oneIn(2) ? { from: 0, to: NOW } : { from: 0 };
      const shards: TimeRange[] = [];
      for (let rest: TimeRange | undefined = range; rest !== undefined;) {
        const plan = await planShards(source(starts), rest, 2, NOW, 5);
        expect(plan.shards.length).toBeLessThanOrEqual(64);
        shards.push(...plan.shards);
        rest = plan.rest;
      }
      const shardsOf = (start: number) =>
        shards.filter(({ from, to = Infinity }) => start >= from && start < to);
      for (const start of starts) expect(shardsOf(start)).toHaveLength(1);
      for (const { from, to = Infinity } of shards) {
        const runs = starts.filter((start) => start >= from && start < to);
        expect(runs.length <= 5 || new Set(runs).size === 1).toBe(true);
      }
      // Only a range without an end includes runs that start later.
      expect(shardsOf(NOW + DAY)).toHaveLength(range.to === undefined ? 1 : 0);
    }
  });

  it('needs only a few counts for runs whose start is in the future because Temporal’s clock is ahead', async () => {
    const behind = 60_000;
    const starts = Array.from({ length: 2_000 }, (_, index) => NOW - 100_000 + index * 50);
    let calls = 0;
    const { countRuns } = source(starts);
    const counting = (query: string) => {
      calls += 1;
      return countRuns(query);
    };
    const range = { from: NOW - 360_000 };
    const plan = await planShards({ countRuns: counting }, range, 2, NOW - behind, 100);
    expect(plan.shards.length).toBeGreaterThan(20);
    expect(calls).toBeLessThan(150);
  });

  it('skips a range as empty only after a direct count of its runs', async () => {
    let calls = 0;
    const counts = [20, 20];
    const plan = await planShards(
      { countRuns: async () => counts[calls++] ?? 3 },
      { from: NOW, to: NOW + 2 },
      1,
      NOW,
      10,
    );
    // Subtracting the counts would leave no runs for the second half, but counting that half directly finds
    // three.
    expect(plan.shards).toEqual([
      { from: NOW, to: NOW + 1 },
      { from: NOW + 1, to: NOW + 2 },
    ]);
  });
});

describe('scan stages', () => {
  it('never count a run twice, and end even if runs appear in lists later than a pass may last', async () => {
    let now = NOW;
    const settleMs = 900_000;
    const progress = startProgress(now, settleMs);
    const kinds: string[] = [];
    const { part: found } = await runStages(progress, {
      settleMs,
      now: () => now,
      sleep: async (milliseconds) => (now += milliseconds),
      runStage: async () => {
        kinds.push(progress.stage.kind);
        if (kinds.length > 9) throw new Error('The scan does not end.');
        const { looked, ...rest } = emptyPart();
        progress.stageFound = { ...rest, looked: { ...looked, open: { ...looked.open, histories: 1 } } };
        now += 1_000;
      },
    });
    expect([kinds, found.looked.open.histories]).toEqual([['first', 'settled', 'newest'], 3]);
  });

  it('cover each start time once, and scan the newest runs again after a long pass', () => {
    const random = new Random(2);
    for (let round = 0; round < 100; round += 1) {
      const settle = random.pick([60_000, 900_000]);
      let now = NOW;
      let stage: Stage | undefined = firstStage(now, settle);
      const counted: TimeRange[] = [];
      while (stage !== undefined) {
        const pass: Stage = stage;
        expect(pass.range.to ?? 0).toBeLessThan(now - settle);
        now += Math.floor(random.next() * (random.oneIn(2) ? DAY : 60_000));
        const ended = now;
        now += settleTime(pass, now, settle);
        stage = nextStage(pass, now, settle);
        // A short pass ends the scan, however long a run takes to appear in lists.
        if (pass.kind === 'newest') expect(stage === undefined).toBe(ended - pass.start <= 600_000);
        if (pass.kind !== 'newest' || stage === undefined) counted.push(pass.range);
        // A long pass can miss copies of runs. No further pass would list the copies that the last pass missed.
        if (stage === undefined) expect(now - pass.start).toBeLessThanOrEqual(600_000);
      }
      expect(counted[0]!.from).toBe(0);
      for (const [index, { to }] of counted.entries())
        expect(to).toBe(index === counted.length - 1 ? undefined : counted[index + 1]!.from);
    }
  });
});

const part = (first: number): ScanPart => ({
  ...emptyPart(),
  keys: Array.from({ length: 800 }, (_, index) => ({
    key: { keyId: '0011223344556677', version: first + index },
    formats: { 'envelope-v2': 1 },
    places: { open: { histories: 1, payloads: 1, oldest: { workflowId: '' }, newest: { workflowId: '' } } },
  })),
});

it('lists a limited number of keys in merged parts, and adds a gap for the other keys', () => {
  const merged = mergeParts(part(1), part(401));
  expect(merged.keys).toHaveLength(1_000);
  expect(merged.gaps).toMatchObject([{ kind: 'unreadable', place: 'open', count: 200 }]);
});

/** Returns a part with 150 gaps, each with an object. */
const withGaps = (first: number): ScanPart => ({
  ...emptyPart(),
  gaps: Array.from({ length: 150 }, (_, n) => ({
    kind: 'external_storage',
    message: `cause ${first + n}`,
    count: 1,
    objects: [{ object: `${first} ${n}`, message: '' }],
  })),
});
const objectsOf = ({ gaps }: ScanPart) => gaps.find(({ message }) => message === 'cause 120')?.objects;

it('limits the gaps in merged parts, counts further gaps under the last gap, and names the same objects in any merge order', () => {
  const merged = mergeParts(withGaps(0), withGaps(100));
  expect([merged.gaps.length, merged.gaps.reduce((sum, { count = 0 }) => sum + count, 0)]).toEqual([
    200, 300,
  ]);
  expect(objectsOf(merged)).toHaveLength(2);
  expect(objectsOf(merged)).toEqual(objectsOf(mergeParts(withGaps(100), withGaps(0))));
});

const history = (time: number) => ({
  workflowId: '',
  runId: '00112233-4455-6677-8899-aabbccddeeff',
  startTime: NOW,
  closeTime: NOW + time,
});
const named = (first: number): ScanPart => {
  const counts = { histories: 10_000_000, payloads: 100_000_000, oldest: history(0), newest: history(1) };
  return {
    ...emptyPart(),
    keys: Array.from({ length: 1_000 }, (_, index) => ({
      // The key's name takes the maximum of about 512 bytes.
      key: { key: 'é'.repeat(250), version: first + index },
      formats: { 'envelope-v2': 100_000_000, direct: 100_000_000 },
      places: { open: counts, closed: counts },
    })),
  };
};

const progressOf = (kind: Stage['kind']) => ({
  ...startProgress(NOW, 60_000),
  stage: { kind, range: { from: 0 }, start: NOW },
  found: mergeParts(emptyPart(), named(1)),
  stageFound: mergeParts(emptyPart(), named(1_001)),
});

describe('a scan’s continue-as-new input', () => {
  it('stays below the 2 MB that Temporal stores, even if key names are long', () => {
    const progress = progressOf('newest');
    mergeStage(progress);
    expect(progress.stageFound.keys.length).toBeGreaterThan(500);
    expect(Buffer.byteLength(JSON.stringify(progress))).toBeLessThan(2_000_000);
    expect(progress.found.gaps).toMatchObject([
      { kind: 'unreadable', place: 'open' },
      { kind: 'unreadable', place: 'closed' },
    ]);
  });

  it('contains only one list of keys, except while the newest runs are scanned again', () => {
    for (const kind of ['first', 'settled'] as const) {
      const progress = progressOf(kind);
      const { found, stageFound } = progress;
      mergeStage(progress);
      expect([progress.found, progress.stageFound]).toEqual([mergeParts(found, stageFound), emptyPart()]);
    }
  });
});
