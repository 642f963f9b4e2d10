import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from '@playwright/test';
import { devEnvironment, devPorts } from '@temporal-kms/scripts/dev';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');

/** Returns the host and port of a part of the stack under test. */
export const local = (
  port: 'CODEC' | 'KMS' | 'KMS_CONTROL' | 'TEMPORAL' | 'TEMPORAL_UI' | 'UI' | 'WORKER',
): string => `127.0.0.1:${process.env[`DEV_${port}_PORT`]}`;

/** Returns whether the stack runs built applications (DEV_FROM), in which one module contains all sources. */
export const isDeployed = (): boolean => Boolean(process.env['DEV_FROM']);

/** Starts a sample workflow with the worker's starter, which is a new process with a new branch key. */
export async function startSample(
  name: string,
  id: string,
  input: object,
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  const starter = join(root, 'apps', 'worker', 'src', 'start.ts');
  await run(process.execPath, [starter, 'start', name, '--id', id, '--input', JSON.stringify(input)], {
    env: { ...devEnvironment(process.env, devPorts(process.env)), ...env },
  });
}

/**
 * Stops the KMS emulator from answering calls, as if the network were down.
 * @param seconds how long; by default until `restoreKms`
 */
export async function interruptKms(seconds?: number): Promise<void> {
  await changeFaults({
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ effect: { kind: 'hang' }, seconds }),
  });
}

/** Lets the KMS emulator answer calls again. */
export const restoreKms = (): Promise<void> => changeFaults({ method: 'DELETE' });

async function changeFaults(request: RequestInit): Promise<void> {
  const response = await fetch(`http://${local('KMS_CONTROL')}/faults`, request);
  if (!response.ok) throw new Error(`The emulator's control API answered with status ${response.status}.`);
}

export async function latestRun(workflowId: string): Promise<{ runId: string; status: string }> {
  const response = await fetch(`http://${local('CODEC')}/api/namespaces/default/workflows/${workflowId}`);
  const text = await response.text();
  if (!response.ok) throw new Error(`The codec server answered with status ${response.status}: ${text}`);
  const { workflow }: { workflow: { runId: string; status: string } } = JSON.parse(text);
  return workflow;
}

/** Waits until a workflow exists and its latest run has a status. */
export async function untilStatus(workflowId: string, status: string): Promise<void> {
  // `expect.poll` would not call the function again after an error.
  const current = () =>
    latestRun(workflowId).then(
      (latest) => latest.status,
      () => undefined,
    );
  await expect.poll(current, { message: workflowId, timeout: 120_000 }).toBe(status);
}

/** Waits until the samples that most tests read have ended: a completed order and a failed checkout. */
export async function untilSamplesEnded(): Promise<void> {
  await untilStatus('order-1001', 'Completed');
  await untilStatus('checkout-2001', 'Failed');
}
