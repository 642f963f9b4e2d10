import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { readStatement, type Statement, statementTemplate } from '../../src/destroy/statement.ts';
import { judge } from '../../src/destroy/verdict.ts';
import { temporaryFile } from '../support/cli.ts';
import {
  at,
  codes,
  HOUR,
  KEY,
  namespace,
  now,
  question,
  read,
  report,
  SERVER,
  statementOf,
} from '../support/question.ts';
import { statementFile } from '../support/statement.ts';

const fresh = statementOf(KEY, at(1));
const withStatement = (over: object) => ({ statement: { ...fresh, ...over } });

describe('the statement file', () => {
  it('contains the facts that a person states', async () => {
    const [cluster] = fresh.clusters;
    const full: Statement = {
      ...fresh,
      clusters: [cluster!, { address: 'b:7233', namespaces: ['orders'], environment: 'b.env' }],
      exports: ['gs://exports/payments'],
    };
    for (const one of [fresh, full]) expect(readStatement(await statementFile(one))).toEqual(one);
  });

  it.each<[string, object]>([
    ['without a name', { name: undefined }],
    ['with an empty name', { name: '' }],
    ['with an invisible name', { name: '\u200b\u00a0' }],
    ['without a time', { time: undefined }],
    ['with a day in place of a time', { time: '2030-01-31' }],
    ['with an hour that does not exist', { time: '2030-01-31T25:00:00Z' }],
    ['with a day that does not exist', { time: '2030-02-30T12:00:00Z' }],
    ['with a time that is not in UTC', { time: '2030-01-31T12:00:00+01:00' }],
    ['without a Temporal server', { clusters: [] }],
    ['with a Temporal server twice', { clusters: [fresh.clusters[0], fresh.clusters[0]] }],
    ['with an empty list of namespaces', { clusters: [{ ...fresh.clusters[0], namespaces: [] }] }],
    ['if it does not state whether there are archives', { archives: undefined }],
    ['with another statement about archives', { archives: 'some' }],
    ['with an empty list of exports', { exports: [] }],
    ['with other uses of the key', { otherUses: 'some' }],
    ['if it does not accept the loss of copies', { copies: 'none' }],
    ['if it does not exclude a rollback', { primaryAgain: undefined }],
    ['with an unknown field', { version: 'x' }],
  ])('is refused %s', async (_, over) => {
    const path = await statementFile({ ...fresh, ...over });
    expect(() => readStatement(path)).toThrow(expect.objectContaining({ exit: 'data' }));
  });

  it('must exist', () => {
    expect(() => readStatement('no-statement.yaml')).toThrow(expect.objectContaining({ exit: 'notFound' }));
  });

  it('is refused until the template is filled in', async () => {
    const lines = statementTemplate({
      key: KEY,
      servers: [SERVER],
      namespaces: ['payments'],
      now: new Date(now),
    });
    const path = await temporaryFile('statement.yaml', `${lines.join('\n')}\n`);
    const refused = (() => {
      try {
        readStatement(path);
      } catch (error) {
        return error;
      }
      return undefined;
    })();
    // Each mistake is on a separate line, because the terminal shows a line break inside a line as an escape.
    const fields = ['name', 'archives', 'exports', 'otherUses', 'copies', 'primaryAgain'];
    const mistakes = fields.map((field) => expect.stringMatching(`^  line [0-9]+: ${field} must `));
    expect(refused).toMatchObject({ lines: [expect.any(String), ...mistakes] });
    const answers = {
      name: 'Ada',
      archives: 'none',
      exports: 'none',
      otherUses: 'none',
      copies: 'accepted',
      primaryAgain: 'never',
    };
    const filled = Object.entries(answers).reduce(
      (text, [field, value]) => text.replace(`${field}: ''`, `${field}: ${value}`),
      `${lines.join('\n')}\n`,
    );
    await writeFile(path, filled);
    const statement = readStatement(path);
    expect(statement.clusters).toEqual([
      { address: SERVER.address, id: SERVER.clusterId, namespaces: ['payments'] },
    ]);
    expect(codes({ statement, now: new Date(now + 1_000) })).toEqual([]);
  });
});

describe('the answer', () => {
  it('is “no” without a statement, and contains the lines of a statement to fill in', () => {
    const { mayDestroy, reasons, template } = judge(question({ statement: undefined }));
    expect([mayDestroy, reasons.map(({ code }) => code)]).toEqual([false, ['not_stated']]);
    expect(template!.join('\n')).toContain(SERVER.clusterId);
    expect(judge(question()).template).toBeNull();
  });

  it.each<[string, object]>([
    ['is too old', { time: at(25) }],
    ['is from the future', { time: at(-1) }],
    ['is about another key', { key: `${KEY}-other` }],
    ['names a server with another id', statementOf(KEY, at(1), [{ ...SERVER, clusterId: 'other' }])],
    ['names a server at another address', statementOf(KEY, at(1), [{ ...SERVER, address: 'other:7233' }])],
    ['contains exports that were not scanned', { exports: ['gs://exports/payments'] }],
    ['contains scanned archives although no scan has read an archive', { archives: 'scanned' }],
  ])('is “no” if the statement %s', (_, over) => {
    expect(codes(withStatement(over))).toContain('not_stated');
  });

  it('is “no” if the scan has seen an archive or exports that the statement does not mention', () => {
    const { looked } = namespace();
    const archived = report([namespace({ looked: { ...looked, archived: read } })]);
    expect(codes({ reports: [archived] })).toEqual(['not_stated']);
    expect(codes({ reports: [archived], ...withStatement({ archives: 'scanned' }) })).toEqual([]);
    const location = 'gs://exports/payments';
    const exported = report([namespace({ exports: [location], looked: { ...looked, exports: read } })]);
    expect(codes({ reports: [exported] })).toEqual(['not_stated']);
    expect(codes({ reports: [exported], ...withStatement({ exports: [location] }) })).toEqual([]);
    expect(codes({ reports: [exported], ...withStatement({ exports: [location, 'b'] }) })).toEqual([
      'not_stated',
    ]);
  });

  it('is “yes” only if the statement is within the age limit of reports', () => {
    expect(codes(withStatement({ time: at(24) }))).toEqual([]);
    expect(codes({ ...withStatement({ time: at(30) }), maxAgeMs: 30 * HOUR })).toEqual([]);
  });
});
