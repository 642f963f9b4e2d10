import { randomUUID } from 'node:crypto';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Ran, temporalKms, temporaryFolder } from '../support/cli.ts';
import { createSchedule, startNamespace } from '../support/scanned.ts';
import { useTemporal } from '../support/temporal.ts';

/** The code-point ranges of all characters that control a terminal, reorder its text, or are invisible. */
const dangerous = [
  [0x00, 0x09],
  [0x0b, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x61c, 0x61c],
  [0x180e, 0x180e],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0xd800, 0xdfff],
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffb],
  [0xe0000, 0xe0fff],
] as const;

const isDangerous = (character: string): boolean => {
  const code = character.codePointAt(0)!;
  return dangerous.some(([from, to]) => code >= from && code <= to);
};

const dangerousIn = ({ out, err }: Pick<Ran, 'out' | 'err'>): string[] =>
  Array.from(`${out}${err}`)
    .filter(isDangerous)
    .map((character) => character.codePointAt(0)!.toString(16));

const lines = ({ out, err }: Ran): number => `${out}${err}`.split('\n').length;

const hostileCharacter = fc.oneof(
  fc.constantFrom(
    '\n',
    '\r',
    '\r\n',
    '\u001b[2J',
    '\u001b]8;;http://x\u0007',
    '\u009b1A',
    '\ud800',
    '\u202e',
  ),
  fc
    .constantFrom(...dangerous)
    .chain(([from, to]) => fc.integer({ min: from, max: to }).map((code) => String.fromCodePoint(code))),
  fc.string({ unit: 'binary', maxLength: 4 }),
);
const hostile = fc
  .array(hostileCharacter, { minLength: 1, maxLength: 8 })
  .map((parts) => `id${parts.join('')}YES: version 1 may be destroyed.`);

const historyOf = (id: string): string =>
  JSON.stringify({
    workflowId: id,
    events: [
      {
        eventId: '1',
        eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED',
        workflowExecutionStartedEventAttributes: {
          workflowId: id,
          workflowType: { name: id },
          taskQueue: { name: `${id} ana@mail.example.org` },
          memo: {
            fields: { [id]: { metadata: { encoding: Buffer.from(id).toString('base64') }, data: 'e30=' } },
          },
        },
      },
    ],
  });

/** Commands that print text from an untrusted source. */
const routes: Record<string, (text: string) => Promise<Ran>> = {
  'inspect prints ids, types, encodings and paths': (text) =>
    temporalKms(['inspect', '--payloads'], { input: historyOf(text) }),
  'inspect prints JSON': (text) =>
    temporalKms(['inspect', '--payloads', '--json'], { input: historyOf(text) }),
  'plaintext prints ids': (text) => temporalKms(['plaintext', '-'], { input: historyOf(text) }),
  'a file that does not exist': (text) => temporalKms(['inspect', `/missing/${text}`]),
  'an error as JSON': (text) => temporalKms(['inspect', `/missing/${text}`, '--json']),
  'an unknown option': (text) => temporalKms(['inspect', `--${text}`]),
  'an unknown command': (text) => temporalKms([`x${text}`]),
  'a key of another form': (text) => temporalKms(['keys', '--key', text]),
  'an environment file': (text) => temporalKms(['keys', '--env-file', `/missing/${text}`]),
};

describe('command output', () => {
  it.each(Object.entries(routes))('contains only visible characters: %s', async (_, run) => {
    const harmless = lines(await run('idYES: version 1 may be destroyed.'));
    await fc.assert(
      fc.asyncProperty(hostile, async (text) => {
        const ran = await run(text);
        expect(dangerousIn(ran)).toEqual([]);
        expect(lines(ran)).toBe(harmless);
      }),
      { numRuns: process.env['SLOW'] ? 150 : 60 },
    );
  });

  it('contains workflow ids unchanged with --json', async () => {
    await fc.assert(
      fc.asyncProperty(hostile, async (text) => {
        const ran = await temporalKms(['inspect', '--json'], { input: historyOf(text) });
        expect(ran.json().workflows[0].workflowId).toBe(text);
      }),
      { numRuns: 50 },
    );
  });

  const temporal = useTemporal();
  it('shows control characters in workflow and schedule ids as escapes', async () => {
    const one = await startNamespace(temporal);
    const { namespace, encrypt, start, terminate, state, env } = one;
    const id = `id\u001b[2J\u009b1A\u202e\u2028\u200b\nIt may be destroyed.${randomUUID()}`;
    const message = await encrypt();
    await start(id, message);
    await start(`${id}closed`, message);
    await terminate(`${id}closed`);
    await createSchedule(temporal.connection, namespace, `${id}schedule`, [message]);
    await one.untilListed();
    const scanned = ['--namespace', namespace, '--state', state, '--settle', '0'];
    const report = join(await temporaryFolder(), 'report.json');
    for (const [command, count] of [
      [['scan', ...scanned, '--out', report], 3],
      [['may-destroy', '1', '--report', report, '--namespace', namespace], 3],
      [['drain', '1', '--report', report, '--namespace', namespace], 3],
    ] as const) {
      const ran = await temporalKms(command, { env: { ...env, TEMPORAL_ADDRESS: temporal.address } });
      expect([command[0], ...dangerousIn(ran)]).toEqual([command[0]]);
      const text = `${ran.out}${ran.err}`;
      expect(text).not.toMatch(/^It may be destroyed/m);
      expect(text.split('\\u000aIt may be destroyed').length).toBeGreaterThan(count);
    }
  });

  it('contains decrypted content unchanged in a pipe, but with its control characters escaped on a terminal', async () => {
    const body = JSON.stringify({ note: 'a\u009b1A\u202eb', list: [1] });
    const payload = {
      metadata: { encoding: Buffer.from('json/plain').toString('base64') },
      data: Buffer.from(body).toString('base64'),
    };
    const folder = await temporaryFolder();
    const decrypt = (form: string, showsOutput: boolean) =>
      temporalKms(
        [
          'decrypt',
          '--as',
          form,
          '--justification',
          'test',
          '--namespace',
          'n',
          '--audit',
          join(folder, 'a.jsonl'),
        ],
        { env, input: JSON.stringify(payload), showsOutput },
      );
    const env = {
      GCP_PROJECT: 'acme',
      GCP_KMS_KEY_RING: 'ring',
      GCP_KMS_KEY: 'key',
      KMS_EMULATOR_HOST: '127.0.0.1:1',
    };
    expect((await decrypt('readable', false)).out).toBe(`${body}\n`);
    expect((await decrypt('raw', false)).out).toBe(body);
    const shown = await decrypt('readable', true);
    expect([shown.out, dangerousIn(shown)]).toEqual([`{"note":"a\\u009b1A\\u202eb","list":[1]}\n`, []]);
    expect(shown.json()).toEqual(JSON.parse(body));
    const raw = await decrypt('raw', true);
    expect([raw.code, raw.out]).toEqual([64, '']);
  });

  it('is written to the terminal only by code in the programs’ entry points', async () => {
    const source = join(import.meta.dirname, '../../src');
    const writers: string[] = [];
    for await (const file of glob('**/*.ts', { cwd: source }))
      if (/process\.std(out|err)|console\./.test(await readFile(join(source, file), 'utf8')))
        writers.push(file);
    expect(writers.toSorted()).toEqual(['main.ts', join('scan-worker', 'main.ts')]);
  });
});
