import { describe, expect, it } from 'vitest';
import { causeOf } from '../../src/why/facts/cause.ts';
import { type Fingerprint, fingerprint } from '../../src/why/fingerprint.ts';
import { messageShape } from '../../src/why/message-shape.ts';
import { allLocked } from '../../src/why/facts/run.ts';
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
    ['GET https://api.example.com/v1/orders/9?x=1 returned 503', 'GET <url> returned 503'],
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
    ['no route to fe80::1, ::ffff:10.0.0.1 or aa:bb:cc:dd:ee:0f', 'no route to <address>, … or <address>'],
    ['[12:30:45] std::bad_alloc', '[<time>] std::bad_alloc'],
    [
      'Kunde „Mira“, ‚Li‘, »Mo« ou «Ada», client ‹Li› and ‘O’Brien’',
      'Kunde <quoted>, … ou <quoted>, client <quoted> and <quoted>',
    ],
    ['order status 4711, shelf status 45 of 90', 'order status <number>, shelf status <number> of <number>'],
    ['{"id":17,"status":503,"code":"declined"}', '{<quoted>:<number>,"status":503,<quoted>:"declined"}'],
    ["field 'customer-17' of 'Mira'", 'field <quoted> of <quoted>'],
    ['{"type":"DECLINED","reason":"mira"}', '{<quoted>:"DECLINED",<quoted>:<quoted>}'],
    ["parameter 'mira', attribute 'Li.'", 'parameter <quoted>, attribute <quoted>'],
    ['mail to mira@exämple.de bounced, 客户17不存在', 'mail to <email> bounced, 客户<number>不存在'],
    ['token q83vEjRWeJq83vEjRWeJ+A/b= expired', 'token <number> expired'],
    ['{"status":"503","name":"mira"}', '{"status":"503",<quoted>:<quoted>}'],
    ['{"sqlstate":"23505","detail":"Key 17"}', '{"sqlstate":"23505",<quoted>:<quoted>}'],
    ['Upstream answered "status 503 for mira" to "li"', 'Upstream answered <quoted> to <quoted>'],
    ['response 250 bytes, HTTP 612', 'response <number> byte, HTTP <number>'],
    ['no courier for Jean-Luc Picard', 'no courier for <name>'],
  ])('turns "%s" into "%s"', (message, shape) => {
    expect(messageShape(message)).toBe(shape);
  });

  it.each([
    'Request failed with status code 503',
    'HTTP/1.1 503 Service Unavailable',
    '404 Client Error: Not Found',
    'Server returned HTTP response code: 503',
    'Cloud KMS returned the gRPC status 9',
    'could not serialize access (SQLSTATE 40001)',
    'SQLSTATE[23505]: Unique violation',
    'ORA-00600: internal error',
    'connect failed, errno: -111',
    'ffmpeg exited with code 137',
    'Payment failed: "CARD_DECLINED"',
    "Missing environment variable 'STRIPE_KEY'",
    "Cannot read properties of undefined (reading 'iban')",
    "Cannot find module 'express'",
    "No module named 'numpy'",
    "invalid argument 'user_id': no parameter 'shop.Order' or 'DB_KEY'",
    "attribute 'orderId' is missing",
    "This has no attribute 'price'",
    'null value in column "iban" of relation "customers" violates not-null constraint',
  ])('keeps the code or the name from source code in "%s"', (message) => {
    expect(messageShape(message)).toBe(message);
  });

  it.each([
    [
      'addresses',
      ['10.1.2.3:5432', '10.0.0.10:53', '127.0.0.1', '::1:443', '[fe80::1%eth0]:5432', ':::8080', '::1'],
    ],
    [
      'numbers',
      ['99', '1 234,50', '1\\u00a0234,50', "1'234.50", '12 €', '-€12', '3.4E-5', '12%', '１２３', '٣٤'],
    ],
  ])('gives the same shape to %s in all forms', (_, values) => {
    expect(new Set(values.map((value) => messageShape(`cannot use ${value} here`))).size).toBe(1);
  });

  it('takes linear time for text with long repetitions', () => {
    const units = `a.|/a|"|1-|@a|:0|'a|f0|0,|::|A0a+|„a|1 |'A_|status `.split('|');
    for (const unit of units) {
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
    expect([version, id]).toEqual([5, '5-d639143b4a633abe']);
  });

  it('names the workflow as the place only if its own code failed', () => {
    const own = { ...declined, places: [] };
    expect(fingerprint(own, 'order').parts.place).toBe('workflow order');
    expect(fingerprint(own, 'order').id).not.toBe(fingerprint(own, 'refund').id);
    expect(fingerprint(declined, 'order').id).toBe(fingerprint(declined, 'refund').id);
  });

  it.each([
    ['Shop.Capture.<RunAsync>d__5.MoveNext()', 'Shop.Capture.<RunAsync>d__7.MoveNext()'],
    ['Shop.Capture.<>c__DisplayClass3_0.<Run>b__0', 'Shop.Capture.<>c__DisplayClass12_1.<Run>b__2'],
    ['shop.Ledger$$EnhancerBySpringCGLIB$$1a2b3c.post', 'shop.Ledger$$EnhancerBySpringCGLIB$$9f8e7d.post'],
  ])('ignores the numbers in generated code, such as %s', (...calls) => {
    const ids = calls.map(
      (call) => fingerprint({ ...declined, frames: [{ call, place: 'a.b:1', own: true }] }, 'order').id,
    );
    expect(ids[0]).toBe(ids[1]);
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
