import { describe, expect, it } from 'vitest';
import type { DestroyQuestion } from '../../src/destroy/question.ts';
import type { TemporalServer } from '../../src/temporal/server.ts';
import { at, codes, KEY, namespace, report, SERVER, statementOf } from '../support/question.ts';

const named = (name: string) => namespace({ namespace: name, id: `id-of-${name}` });
const withNamespaces = (...names: string[]): TemporalServer => ({
  ...SERVER,
  namespaces: names.map((name) => ({ name, id: `id-of-${name}` })),
});
const unlisted = (server: TemporalServer): TemporalServer => ({ ...server, isListed: false });
const [cluster] = statementOf(KEY, at(1)).clusters;
const stated = (...namespaces: string[]) => ({
  statement: { ...statementOf(KEY, at(1)), clusters: [{ ...cluster!, namespaces }] },
});
const all = { hasOtherNamespaces: true, namespaces: [] };

const { clusterId: _id, ...withoutId } = SERVER;

describe('another server’s report', () => {
  it.each<[string, Partial<DestroyQuestion>]>([
    ['has another cluster id', { servers: [{ ...SERVER, clusterId: 'other' }] }],
    [
      'has another address, for example of a copy of the server',
      { servers: [{ ...SERVER, address: 'other:7233' }] },
    ],
    ['no longer shows its cluster id', { servers: [withoutId] }],
    ['is not in the report', { reports: [report([namespace()], { server: undefined })] }],
    [
      'has a namespace of the same name with another id',
      { servers: [{ ...SERVER, namespaces: [{ name: 'payments', id: 'new' }] }] },
    ],
    ['no longer has the namespace', { servers: [{ ...SERVER, namespaces: [] }] }],
    [
      'shows no id of the namespace',
      { servers: [{ ...SERVER, namespaces: [{ name: 'payments', id: '' }] }] },
    ],
    ['has a namespace whose id is not in the report', { reports: [report([namespace({ id: undefined })])] }],
    [
      'shows no id of the namespace, and the report shows none either',
      {
        servers: [{ ...SERVER, namespaces: [{ name: 'payments', id: '' }] }],
        reports: [report([namespace({ id: '' })])],
      },
    ],
  ])('makes the answer no if the server %s', (_, over) => {
    expect(codes(over)).toContain('other_server');
  });

  it('makes the answer no, even alongside a report about the right server', () => {
    const other = report([namespace()], { server: { address: SERVER.address, clusterId: 'other' } });
    expect(codes({ reports: [other] })).toContain('other_server');
    expect(codes({ reports: [report([namespace()]), other] })).toContain('other_server');
  });
});

describe('a key that serves every namespace', () => {
  it('needs a scan of each namespace that the server has now', () => {
    const servers = [withNamespaces('payments', 'orders')];
    expect(codes({ ...all, servers })).toEqual(['not_seen']);
    expect(codes({ ...all, servers, namespaces: ['payments'] })).toEqual(['not_seen']);
    expect(codes({ ...all, servers, reports: [report([named('payments'), named('orders')])] })).toEqual([]);
    // Several reports about one server are combined.
    expect(
      codes({ ...all, servers, reports: [report([named('payments')]), report([named('orders')])] }),
    ).toEqual([]);
  });

  it('needs a scan of every namespace, even of those that the statement does not name', () => {
    expect(codes({ ...all, servers: [withNamespaces('payments', 'orders')], ...stated('payments') })).toEqual(
      ['not_seen'],
    );
  });

  it('needs a statement with the namespaces if the server does not list its namespaces', () => {
    const servers = [unlisted(withNamespaces('payments'))];
    expect(codes({ ...all, servers })).toEqual(['not_stated']);
    expect(codes({ ...all, servers, ...stated('payments') })).toEqual([]);
    expect(codes({ ...all, servers, ...stated('payments', 'orders') })).toEqual(['not_seen']);
  });
});

describe('a key that serves namespaces of a keys file', () => {
  const servers = [withNamespaces('payments', 'orders')];

  it('needs a scan of the server’s other namespaces, unless the statement excludes them', () => {
    expect(codes({ servers })).toEqual(['not_stated']);
    const many = withNamespaces('payments', ...Array.from({ length: 500 }, (_, n) => `n-${n}`));
    expect(codes({ servers: [many] })).toEqual(['not_stated']);
    expect(codes({ servers, ...stated('payments') })).toEqual([]);
    expect(codes({ servers, ...stated('payments', 'orders') })).toEqual(['not_seen']);
    expect(codes({ servers, reports: [report([named('payments'), named('orders')])] })).toEqual([]);
  });

  it('needs a scan of a namespace that is in the keys file but not in the statement', () => {
    expect(codes({ servers, namespaces: ['payments', 'orders'], ...stated('payments') })).toContain(
      'not_seen',
    );
  });

  it('needs a scan of each namespace in the file, even if no server has it', () => {
    expect(codes({ namespaces: ['payments', 'gone'] })).toEqual(['not_seen']);
  });

  it('needs a statement with the namespaces if the server does not list its namespaces', () => {
    expect(codes({ servers: [unlisted(SERVER)] })).toEqual(['not_stated']);
    expect(codes({ servers: [unlisted(SERVER)], ...stated('payments') })).toEqual([]);
  });
});

const second: TemporalServer = {
  ...SERVER,
  address: 'b:7233',
  clusterId: 'b',
  namespaces: [{ name: 'payments', id: 'b' }],
};
const ofSecond = (over = {}) =>
  report([namespace({ id: 'b' })], { server: { address: 'b:7233', clusterId: 'b' }, ...over });
const withSecond = (over: object) => [report([namespace()]), ofSecond(over)];

describe('the answer about several servers', () => {
  const statement = statementOf(KEY, at(1), [SERVER, second]);
  const servers = [SERVER, second];

  it.each([true, false])(
    'if a server does not list its namespaces, needs a scan of each configured namespace there (all: %s)',
    (hasOtherNamespaces) => {
      const orders = { name: 'orders', id: 'id-of-orders' };
      const hidden = { ...unlisted(second), namespaces: [...second.namespaces, orders] };
      const [own, its] = statement.clusters;
      const clusters = [own!, { ...its!, namespaces: ['orders'] }];
      const over = { hasOtherNamespaces, servers: [SERVER, hidden], statement: { ...statement, clusters } };
      expect(codes({ ...over, reports: withSecond({ namespaces: [named('orders')] }) })).toEqual([
        'not_seen',
      ]);
      expect(
        codes({ ...over, reports: withSecond({ namespaces: [named('orders'), namespace({ id: 'b' })] }) }),
      ).toEqual([]);
    },
  );

  it('needs a report about each server', () => {
    const one = report([namespace()]);
    expect(codes({ servers, statement, reports: [one] })).toEqual(['not_seen']);
    expect(codes({ servers, statement, reports: [ofSecond()] })).toEqual(['not_seen']);
    expect(codes({ servers, statement, reports: [one, ofSecond()] })).toEqual([]);
  });

  it('needs a response from each server, and a statement that names each server', () => {
    const reports = [report([namespace()]), ofSecond()];
    expect(codes({ servers: [SERVER], statement, reports: [reports[0]!] })).toEqual(['not_seen']);
    expect(codes({ servers, statement: statementOf(KEY, at(1)), reports })).toEqual(['not_stated']);
  });

  it('needs a complete and recent scan of each server, started after programs stopped encrypting under the version', () => {
    const reports = withSecond;
    expect(
      codes({
        servers,
        statement,
        reports: reports({ namespaces: [namespace({ id: 'b', complete: false })] }),
      }),
    ).toEqual(['not_seen']);
    expect(codes({ servers, statement, reports: reports({ started: at(30) }) })).toEqual(['report_too_old']);
    expect(codes({ servers, statement, reports: reports({ started: at(90) }) })).toContain(
      'may_still_encrypt',
    );
  });

  it('uses the latest time at which a scan of any server found the version primary', () => {
    const [observed] = report([]).cryptoKeys;
    const versions = (over: object) =>
      observed!.versions.map((one) => (one.version === 1 ? { ...one, ...over } : one));
    const reports = (over: object) =>
      withSecond({ cryptoKeys: [{ ...observed!, versions: versions(over) }] });
    expect(codes({ servers, statement, reports: reports({ notPrimarySince: at(60) }) })).toEqual([]);
    expect(codes({ servers, statement, reports: reports({ notPrimarySince: at(20) }) })).toContain(
      'may_still_encrypt',
    );
    expect(
      codes({ servers, statement, reports: reports({ notPrimarySince: undefined, lastPrimary: at(20) }) }),
    ).toEqual(['may_still_encrypt']);
  });
});
