import { Client } from '@temporalio/client';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { startCloud, temporalKms, temporaryFile, WORKER } from '../support/cli.ts';
import { cliShow, cloudExport, NAMESPACE, SECRET, useHistories } from '../support/histories.ts';

const MAIL = 'ana.maria@mail.example.org';
const CARD = '4111111111111111';
const IBAN = 'DE89370400440532013000';
const PHONE = '+4915112345678';
const WAIT = { timeout: 100_000, interval: 100 };
const values = [MAIL, CARD, IBAN, PHONE];

const histories = useHistories();
let client: Client;
let found: { workflowId: string; runId: string };
beforeAll(async () => {
  client = new Client({ connection: histories.temporal.connection, namespace: NAMESPACE });
  const { workflowId, firstExecutionRunId } = await client.workflow.start('order', {
    workflowId: `order-${MAIL}`,
    taskQueue: 'none',
    memo: { [MAIL]: 'memo' },
    args: [{ iban: IBAN }],
  });
  found = { workflowId, runId: firstExecutionRunId };
  await client.workflow.getHandle(workflowId).terminate(`asked for by ${PHONE}`);
  await client.schedule.create({
    scheduleId: `card ${CARD}`,
    spec: { intervals: [{ every: '30d' }] },
    action: { type: 'startWorkflow', workflowType: 'order', taskQueue: 'none', workflowId: 'scheduled' },
  });
  // Temporal's lists lag behind the histories.
  await vi.waitFor(async () => {
    expect(await countSchedules()).toBe(1);
    expect((await client.workflow.count('CloseTime is not null')).count).toBe(1);
  }, WAIT);
});

async function countSchedules(): Promise<number> {
  let count = 0;
  for await (const { scheduleId } of client.schedule.list()) count += scheduleId === '' ? 0 : 1;
  return count;
}

const plaintext = async (args: readonly string[], input?: string | Uint8Array) => {
  const ran = await temporalKms(['plaintext', ...args], {
    env: { TEMPORAL_ADDRESS: histories.temporal.address },
    ...(input !== undefined && { input }),
  });
  // No value appears in full, either in the result or in the progress messages.
  for (const value of values) expect(ran.out + ran.err).not.toContain(value);
  return ran;
};

describe('temporal-kms plaintext', () => {
  it('finds personal data in a namespace’s workflow ids, memo keys, reasons and schedule ids', async () => {
    const { code, err, json } = await plaintext(['--namespace', NAMESPACE, '--rps', '1000', '--json']);
    expect(code).toBe(1);
    expect(err).toMatch(/: runs: 1\n[^]*: schedules: 1\n$/);
    const { histories: looked, schedules, findings } = json();
    expect([looked, schedules]).toEqual([1, 1]);
    expect(findings.map(({ kind, pattern }: any) => `${kind}: ${pattern}`)).toEqual(
      expect.arrayContaining([
        'workflow id: email',
        'memo key: email',
        'reason or note: phone',
        'schedule id: payment-card',
      ]),
    );
    const listed = findings.find(({ path }: any) => path === 'workflowId');
    expect(listed.samples[0]).toEqual({
      masked: `o…g (${found.workflowId.length} characters)`,
      source: NAMESPACE,
      workflowId: expect.stringMatching(/^sha256:[0-9a-f]{16}$/),
      runId: found.runId,
    });
  });

  it('searches plaintext payloads only with --payloads', async () => {
    const shown = await cliShow(histories, found, 'json');
    const without = await plaintext(['--json', '-'], shown);
    expect(JSON.stringify(without.json())).not.toContain('iban');
    const { code, json } = await plaintext(['--json', '--payloads', '-'], shown);
    expect(code).toBe(1);
    expect(json().findings).toContainEqual(expect.objectContaining({ kind: 'payload', pattern: 'iban' }));
  });

  it('finds values in history files, and prints each field with masked samples for people', async () => {
    const events = await histories.events(found);
    const { code, err, out } = await plaintext(['-'], cloudExport([events, events]));
    expect([code, err]).toEqual([1, 'standard input: histories: 2\n']);
    expect(out).toMatch(/^memo key: email in .*memo\.fields: 2 values in \d histories or schedules$/m);
    expect(out).toMatch(/^ {2}\+…8 \(14 characters\) +standard input +sha256:[0-9a-f]{16} +\S+ +event \d+$/m);
    expect(out).toMatch(/^2 histories and 0 schedules, \d+ texts: found in \d+ fields$/m);
  });

  it('exits with 0 if all payloads are encrypted and no other field contains personal data', async () => {
    const cloud = await startCloud();
    await cloud.grant(WORKER, 'roles/cloudkms.cryptoKeyEncrypterDecrypter');
    const run = await histories.start('order-clean', cloud.as(WORKER));
    const { code, out } = await plaintext(['--payloads', '-'], await cliShow(histories, run, 'json'));
    expect([code, out]).toEqual([0, expect.stringContaining('nothing found')]);
    expect(out).not.toContain(SECRET);
    await client.workflow.getHandle(run.workflowId).terminate();
  });

  it('searches only runs that match the query, and accepts patterns from a file', async () => {
    const query = ['--query', 'WorkflowId = "none"'];
    const { json } = await plaintext(['--namespace', NAMESPACE, '--json', '--rps', '1000', ...query]);
    expect(json()).toMatchObject({ histories: 0, schedules: 1 });
    const file = await temporaryFile(
      'patterns.yaml',
      "patterns:\n  type: 'ord[e]r'\nwithout: [email, phone, iban, payment-card, us-ssn]\n...\n",
    );
    const named = await plaintext(
      ['--json', '--patterns', file, '-'],
      await cliShow(histories, found, 'json'),
    );
    expect(new Set(named.json().findings.map(({ pattern }: any) => pattern))).toEqual(new Set(['type']));
  });

  it('exits with 64 without a source, with 65 for a file without a history, with 69 if Temporal does not answer, and with 66 if the namespace does not exist', async () => {
    expect(await plaintext([])).toMatchObject({ code: 64 });
    expect(await plaintext(['-'], '{}')).toMatchObject({ code: 65 });
    expect(await plaintext(['--namespace', 'none'])).toMatchObject({ code: 66 });
    const wrong = await plaintext(['--namespace', NAMESPACE, '--query', 'WorkflowId =']);
    expect([wrong.code, wrong.err]).toEqual([
      64,
      expect.stringContaining('refuses the query: invalid query'),
    ]);
    const { code } = await temporalKms(['plaintext', '--namespace', NAMESPACE], {
      env: { TEMPORAL_ADDRESS: '127.0.0.1:1' },
    });
    expect(code).toBe(69);
  });
});
