/**
 * `pnpm bench alerts` runs the real programs, and causes the fault behind each alert in
 * `deploy/helm/temporal-kms/alerts.yaml`. The benchmark shows when the alert fired in Prometheus, and when
 * Alertmanager's webhook received the alert.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startAlertmanager } from '@temporal-kms/scripts/alertmanager';
import { startPrometheus } from '@temporal-kms/scripts/prometheus';
import { type Fault, faults, faultsBehind } from './alerts/faults.ts';
import { startStack, TASK_QUEUE } from './alerts/stack.ts';

/** The benchmark divides the waits in alert rules by this factor, so that a minute takes only a second. */
const FACTOR = 60;
const SEEN_MS = 240_000;
const rulesFile = join(import.meta.dirname, '../../deploy/helm/temporal-kms/alerts.yaml');

const help = `Usage: pnpm bench alerts [--only ALERT]…

Starts Temporal, the KMS emulator, a worker, the codec server, Prometheus with deploy/helm/temporal-kms/alerts.yaml, and
Alertmanager. Makes the fault of each alert, one after the other, and prints the seconds until the alert fired in Prometheus
and until a webhook received it from Alertmanager. Exits with 1 if an alert was not received.

Rules that wait, or compare with a time before, are evaluated with durations that are ${FACTOR} times shorter. The others are as in
production. --only leaves out faults that the alert does not need; it may be repeated.`;

async function main(only: readonly string[]): Promise<boolean> {
  const text = await readFile(rulesFile, 'utf8');
  const known = [...text.matchAll(/- alert: (\w+)\n/g)].map(([, name = '']) => name);
  const waits = new Map(
    [...text.matchAll(/- alert: (\w+)\n[^]*?(?=- alert|$)/g)].map(([rule, name = '']) => [
      name,
      /\n +for: /.test(rule),
    ]),
  );
  const chosen = only.length === 0 ? faults : faultsBehind(only);
  const unknown = only.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new Error(`There is no alert ${unknown.join(', ')}. There are ${known.join(', ')}.`);
  const covered = faults.flatMap(({ alerts }) => alerts);
  const uncovered = known.filter((name) => !covered.includes(name));
  if (uncovered.length > 0) throw new Error(`No fault makes ${uncovered.join(', ')} fire.`);

  await using closers = new AsyncDisposableStack();
  const alertmanager = await startAlertmanager();
  if (alertmanager === undefined) return false;
  closers.defer(() => alertmanager.close());
  const stack = await startStack();
  closers.defer(() => stack.close());
  const prometheus = await startPrometheus(stack.targets, {
    factor: FACTOR,
    alertmanager: alertmanager.address,
  });
  if (prometheus === undefined) return false;
  closers.defer(() => prometheus.close());
  const run = { workflowId: 'approval', taskQueue: TASK_QUEUE, args: [{ requester: 'Ana', cents: 1 }] };
  await stack.clientOf('default').workflow.start('approval', run);
  await until(async () => (await prometheus.query('codec_worker_ready == 1')).length > 0, 60_000);
  const before = Object.keys(await prometheus.alerts());
  if (before.length > 0) throw new Error(`Without a fault, these alerts fire: ${before.join(', ')}`);
  console.log('No alert fires before the first fault.');

  /**
   * Waits until Prometheus shows an alert that fired after the fault, and the webhook has received the alert.
   */
  const seen = async (alert: string, since: number): Promise<boolean> => {
    const find = () =>
      alertmanager
        .received()
        .find(({ labels, startsAt }) => labels['alertname'] === alert && Date.parse(startsAt) >= since);
    const isSeen = async () => find() !== undefined && alert in (await prometheus.alerts());
    const ok = await until(isSeen, SEEN_MS);
    const received = find();
    if (!ok || received === undefined) {
      console.log(`${alert}\tNOT SEEN within ${SEEN_MS / 1_000} s`);
      return false;
    }
    const { startsAt, receivedAt, annotations } = received;
    const seconds = (time: number): string => ((time - since) / 1_000).toFixed(1);
    const scaled = waits.get(alert) ? `, durations divided by ${FACTOR}` : '';
    console.log(
      `${alert}\tfired after ${seconds(Date.parse(startsAt))} s, received after ${seconds(receivedAt)} s${scaled}\t${annotations.runbook}`,
    );
    return true;
  };
  const cause = async ({ what, alerts, make }: Fault): Promise<boolean> => {
    console.log(`# ${what}`);
    const since = Date.now();
    const repair = await make(stack);
    const results = await Promise.all(alerts.map((alert) => seen(alert, since)));
    await repair?.();
    return results.every(Boolean);
  };
  const results: boolean[] = [];
  for (const fault of chosen) results.push(await cause(fault));
  return results.every(Boolean);
}

async function until(isTrue: () => Promise<boolean>, limitMs: number): Promise<boolean> {
  const deadline = Date.now() + limitMs;
  while (!(await isTrue())) {
    if (Date.now() > deadline) return false;
    await sleep(250);
  }
  return true;
}

const { values } = parseArgs({
  options: { only: { type: 'string', multiple: true }, help: { type: 'boolean' } },
});
if (values.help) console.log(help);
else process.exitCode = (await main(values.only ?? [])) ? 0 : 1;
