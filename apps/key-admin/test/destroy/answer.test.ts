import { type NeededKey, STOPS_WITHIN_MS } from '@temporal-kms/codec-api';
import { cryptoKeyId } from '@temporal-kms/kms-codec';
import { describe, expect, it } from 'vitest';
import { type DestroyQuestion, MAX_SKEW_MS } from '../../src/destroy/question.ts';
import { judge, judgeWithoutScan } from '../../src/destroy/verdict.ts';
import {
  at,
  codes,
  destroyed,
  HOUR,
  KEY,
  namespace,
  now,
  NUMBERED,
  question,
  report,
  SERVER,
  statementOf,
  version,
} from '../support/question.ts';

const UNKNOWN_ID = cryptoKeyId(`${KEY}-under-another-name`);
const description = (over: Partial<DestroyQuestion['description']>) => ({
  description: { ...question().description, ...over },
});

describe('the answer', () => {
  it('contains the question, the scans and the statement', () => {
    const since = now - 100 * HOUR;
    expect(judge(question())).toEqual({
      key: KEY,
      version: 1,
      mayDestroy: true,
      reasons: [],
      evidence: [],
      notPrimarySince: new Date(since).toISOString(),
      scanAfter: new Date(since + STOPS_WITHIN_MS).toISOString(),
      scanned: [
        {
          started: at(2),
          server: { address: SERVER.address, clusterId: SERVER.clusterId },
          namespaces: [{ name: 'payments', id: 'id-of-payments' }],
        },
      ],
      servers: [SERVER],
      statement: statementOf(KEY, at(1)),
      template: null,
    });
  });

  it('contains null for unknown facts', () => {
    const reports = [report([namespace({ id: undefined })], { server: undefined, cryptoKeys: [] })];
    expect(judge(question({ reports, statement: undefined }))).toMatchObject({
      mayDestroy: false,
      notPrimarySince: null,
      scanAfter: null,
      scanned: [{ server: null, namespaces: [{ name: 'payments', id: null }] }],
      statement: null,
    });
  });

  it('has a template that names the namespaces, unless the key also serves other namespaces', () => {
    const [own, all] = [false, true].map((hasOtherNamespaces) =>
      judge(question({ statement: undefined, hasOtherNamespaces })).template!.join('\n'),
    );
    expect(own).toContain("namespaces: ['payments']");
    expect(all).not.toContain('namespaces:');
  });

  it.each<[string, number, Partial<DestroyQuestion>, string]>([
    ['is primary', 3, {}, 'primary'],
    ['does not exist', 9, {}, 'no_version'],
    ['is destroyed', 1, description({ versions: [destroyed(version(1, 200), 100)] }), 'no_version'],
  ])('is “no” without a scan if the version %s', (_, number, over, code) => {
    const found = judgeWithoutScan({ ...question(over), version: number });
    expect(found).toEqual({
      key: KEY,
      version: number,
      mayDestroy: false,
      reasons: [{ code, message: expect.stringContaining(`version ${number}`) }],
      evidence: [],
      notPrimarySince: null,
      scanAfter: null,
      scanned: null,
      servers: [],
      statement: null,
      template: null,
    });
    expect(codes({ ...over, version: number })).toContain(code);
  });

  it('needs a scan if the version exists and is not primary', () => {
    expect(judgeWithoutScan(question())).toBeUndefined();
  });
});

describe('the evidence', () => {
  const places = { closed: { histories: 3, payloads: 4 }, open: { histories: 1, payloads: 1 } };
  const needing = (key: Omit<NeededKey, 'formats' | 'places'>, over: object = {}) =>
    judge(question({ reports: [report([namespace({ keys: [{ ...key, formats: {}, places }] })], over)] }));

  it.each<[string, Omit<NeededKey, 'formats' | 'places'>, object, string]>([
    ['a version', { keyId: cryptoKeyId(KEY), version: 1 }, { version: 1 }, 'need it'],
    ['no version', { key: KEY }, {}, 'may need it (their messages name no version)'],
    ['neither a key nor a version', {}, {}, 'may need it (their messages name no version)'],
    [
      'an unknown key id',
      { keyId: UNKNOWN_ID, version: 1 },
      { version: 1, unknownKeyId: UNKNOWN_ID },
      `may need it (the key id ${UNKNOWN_ID} in their messages belongs to no configured crypto key)`,
    ],
    [
      'a name with a project number',
      { key: NUMBERED },
      { otherName: NUMBERED },
      `may need it (they name ${NUMBERED}, which is the same crypto key if the project number is that of the key's project)`,
    ],
  ])('names the histories whose messages name %s', (_, key, found, what) => {
    const { evidence, reasons } = needing(key);
    expect(evidence).toEqual([{ server: SERVER.address, namespace: 'payments', places, ...found }]);
    const message = `histories of the namespace payments of ${SERVER.address} ${what}: 3 closed, 1 open`;
    expect(reasons).toEqual([{ code: 'needed', message }]);
  });

  it('shows “an unknown server” if a report names no server', () => {
    expect(needing({ key: KEY }, { server: undefined }).evidence).toMatchObject([
      { server: 'an unknown server' },
    ]);
  });

  it('does not include a key whose name merely ends with the crypto key’s name', () => {
    expect(needing({ key: `x${NUMBERED}` }).evidence).toEqual([]);
  });
});

const created = now - 2_000 * HOUR;
const closed = (time?: number) => ({
  histories: 1,
  payloads: 1,
  newest: { workflowId: 'w', ...(time !== undefined && { closeTime: new Date(time).toISOString() }) },
});
const needed = (places: NeededKey['places'], over: Partial<DestroyQuestion> = {}) =>
  codes({ ...over, reports: [report([namespace({ keys: [{ key: KEY, formats: {}, places }] })])] });

describe('histories whose messages name no version', () => {
  it('do not need a version that was created after their runs closed, even if Temporal’s clock differs from Google’s', () => {
    expect(needed({ closed: closed(created - MAX_SKEW_MS - 1) })).toEqual([]);
    expect(needed({ closed: closed(created - MAX_SKEW_MS) })).toEqual(['needed']);
  });

  it.each<[string, NeededKey['places'], Partial<DestroyQuestion>]>([
    ['others are open', { closed: closed(0), open: closed() }, {}],
    ['no close time is known', { closed: { histories: 1, payloads: 1 } }, {}],
    [
      'the version’s creation time is unknown',
      { closed: closed(0) },
      description({ versions: [{ ...version(1, 0), created: undefined }, version(2, 101), version(3, 100)] }),
    ],
  ])('may need the version if %s', (_, places, over) => {
    expect(needed(places, over)).toEqual(['needed']);
  });
});

const future = (milliseconds: number) => ({
  reports: [report([namespace({ started: new Date(now + milliseconds).toISOString() })])],
});

describe('a scan’s start', () => {
  it('may be as old as the age limit, and as far in the future as clocks may differ', () => {
    expect(codes({ maxAgeMs: 2 * HOUR })).toEqual([]);
    expect(codes({ maxAgeMs: 2 * HOUR - 1 })).toEqual(['report_too_old']);
    expect(codes(future(MAX_SKEW_MS))).toEqual([]);
    expect(codes(future(MAX_SKEW_MS + 1))).toEqual(['report_too_old']);
  });

  it.each(['unreadable', at(30)])('is checked for each namespace: %s', (started) => {
    expect(codes({ reports: [report([namespace({ started })])] })).toContain('report_too_old');
  });

  it('must be recent in every report', () => {
    const reports = [report([namespace()]), report([namespace()], { started: at(30) })];
    expect(codes({ reports })).toContain('report_too_old');
    const [reason] = judge(question({ reports })).reasons;
    expect(reason!.message).toContain(`${at(2)}, ${at(30)}`);
  });

  it('is compared with the time at which programs stop encrypting', () => {
    const stopped = new Date(now - 3 * HOUR);
    const { reasons } = judge(question({ notPrimarySince: stopped }));
    const until = new Date(stopped.getTime() + STOPS_WITHIN_MS).toISOString();
    expect(reasons).toContainEqual({
      code: 'may_still_encrypt',
      message: expect.stringContaining(`version 1 until ${until}`),
    });
  });
});
