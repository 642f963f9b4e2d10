import { describe, expect, it } from 'vitest';
import { causeOf } from '../../src/why/cause.ts';
import { type Fingerprint, fingerprint } from '../../src/why/fingerprint.ts';
import { messageShape } from '../../src/why/message-shape.ts';
import { allLocked } from '../../src/why/run.ts';
import { type CorpusCause, corpusCauses, corpusRun } from './corpus.ts';
import { drawFrom } from './random.ts';

const RUNS = 100;

describe('messageShape', () => {
  it.each([
    [
      "Card '4242' of order-17 was declined after 3.5s",
      'Card <quoted> of <number> was declined after <number>',
    ],
    ['connect ECONNREFUSED 10.1.2.3:5432', 'connect ECONNREFUSED <address>'],
    ['connect ECONNREFUSED [2001:db8::1]:5432', 'connect ECONNREFUSED <address>'],
    ['no route to db-3.prod.internal:5432', 'no route to <host>'],
    [
      'java.lang.IllegalStateException in version 1.2.3',
      'java.lang.IllegalStateException in version <number>',
    ],
    ['mail to mira.novak+x@example.com bounced', 'mail to <email> bounced'],
    ['GET https://api.example.com/v1/orders/9?x=1 returned 503', 'GET <url> returned <number>'],
    ['run 0198f1a2-0b3c-7d4e-8f5a-6b7c8d9e0f1a gone', 'run <uuid> gone'],
    ['not before 2030-01-31T12:00:00.123Z, now 11:59:58', 'not before <time>, now <time>'],
    [
      'no courier for Mira Novak in Berlin, only 2 items',
      'no courier for <name> in <name>, only <number> item',
    ],
    ['Order 17 of O’Brien has 1 item', 'Order <number> of <name> has <number> item'],
    ['rpc error: code = Unavailable desc = x', 'rpc error: code = Unavailable desc = x'],
    ['caused by Error: connect', 'caused by Error: connect'],
    ['User Mira not found', 'User <name> not found'],
    ['failed: Bad Gateway', 'failed: Bad Gateway'],
    ['cannot open /var/lib/app/data-3.db', 'cannot open <path>'],
    ['pointer 0xdeadbeef, hash 9f86d081884c7d65', 'pointer <hex>, hash <hex>'],
    ['amount €1,234.50 exceeds 1000', 'amount <number> exceed <number>'],
    ['missing ids: 1, 2, 3, 44', 'missing ids: <number>, …'],
    ["can't find 'Mira O'Brien' or \"Li\"", "can't find <quoted> or <quoted>"],
    ['deadbeef is no number, defaced facade', 'deadbeef is no number, defaced facade'],
  ])('turns "%s" into "%s"', (message, shape) => {
    expect(messageShape(message)).toBe(shape);
  });

  it('takes linear time for text with long repetitions', () => {
    for (const unit of ['a.', '/a', '"', '1-', '@a', ':0', "'a", 'f0', '0,']) {
      expect(messageShape(unit.repeat(1_000_000)).length).toBeLessThan(20_000);
    }
  });
});

/** Returns the number of pairs of equal items. */
function equalPairs(items: readonly unknown[]): number {
  const counts = new Map<unknown, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum + (count * (count - 1)) / 2, 0);
}

/**
 * Returns how well groups agree with causes, over all pairs of runs. `agreement` (the Rand index) is the
 * share of pairs with the same group and cause, or with different groups and causes. The Rand index is near 1
 * if there are many small groups. For this reason, the function also returns `recall`, the share of
 * same-cause pairs that are in one group, and `precision`, the share of same-group pairs that have one cause.
 */
function pairwise(labels: readonly number[], ids: readonly string[]) {
  const total = (labels.length * (labels.length - 1)) / 2;
  const [cause, group] = [equalPairs(labels), equalPairs(ids)];
  const both = equalPairs(labels.map((label, index) => `${label} ${ids[index]}`));
  return {
    agreement: (total + 2 * both - cause - group) / total,
    recall: both / cause,
    precision: both / group,
  };
}

const grouped = (causes: readonly CorpusCause[], seed: number, isLocked = false) => {
  const draw = drawFrom(seed);
  const labels: number[] = [];
  const prints: Fingerprint[] = [];
  for (const [label, cause] of causes.entries())
    for (let run = 0; run < RUNS; run += 1) {
      const { failure, read } = corpusRun(cause, draw);
      labels.push(label);
      prints.push(fingerprint(causeOf(failure, { groups: [], read: isLocked ? allLocked : read })!, 'order'));
    }
  return { labels, ids: prints.map(({ id }) => id), prints };
};

const declined: Parameters<typeof fingerprint>[0] = {
  type: 'CardDeclined',
  timeout: undefined,
  places: [{ kind: 'activity', name: 'charge' }],
  frames: [{ call: 'async capture', place: '/srv/app/capture.ts:88:11', own: true }],
  message: { status: 'readable', text: 'Card 4242 was declined', encrypted: true },
};

describe('fingerprint', () => {
  it('groups at least 95 % of all pairs of runs correctly, for 21 causes with 100 runs each', () => {
    const { labels, ids } = grouped(corpusCauses, 4711);
    expect(new Set(labels).size).toBe(21);
    const { agreement, recall, precision } = pairwise(labels, ids);
    expect(agreement).toBeGreaterThanOrEqual(0.95);
    expect(recall).toBeGreaterThanOrEqual(0.95);
    expect(precision).toBeGreaterThanOrEqual(0.95);
  });

  it('groups locked failures by type and place', () => {
    const { labels, ids } = grouped(corpusCauses, 4712, true);
    const { recall } = pairwise(labels, ids);
    expect(recall).toBe(1);
  });

  it('returns the same ids in every release with the same FINGERPRINT_VERSION', () => {
    const { id, version } = fingerprint(declined, 'order');
    expect([version, id]).toEqual([3, '3-d639143b4a633abe']);
  });

  it('names the workflow as the place only if its own code failed', () => {
    const own = { ...declined, places: [] };
    expect(fingerprint(own, 'order').parts.place).toBe('workflow order');
    expect(fingerprint(own, 'order').id).not.toBe(fingerprint(own, 'refund').id);
    expect(fingerprint(declined, 'order').id).toBe(fingerprint(declined, 'refund').id);
  });

  it('limits the length of names and messages', () => {
    const long = 'x'.repeat(2_000_000);
    const frame = { call: long, place: long, own: true };
    const { parts } = fingerprint(
      {
        ...declined,
        type: long,
        places: [{ kind: 'activity', name: long }],
        frames: [frame],
        message: { status: 'readable', text: '1 x '.repeat(2_000), encrypted: false },
      },
      long,
    );
    expect([parts.type, parts.place, ...parts.frames].map(({ length }) => length)).toEqual([200, 200, 200]);
    expect(parts.shape!.length).toBeLessThanOrEqual(2_000);
    expect(fingerprint({ ...declined, places: [] }, long).parts.place).toHaveLength(200);
  });
});
