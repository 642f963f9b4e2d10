import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Payload } from '@temporalio/common';
import { createOverdueKey, grant, keyOf, revoke, versionOf } from './keys.ts';
import { type Stack, TASK_QUEUE } from './stack.ts';

/** A fault on the real stack, and the alerts that fire because of the fault. */
export interface Fault {
  readonly what: string;
  readonly alerts: readonly string[];
  /** Causes the fault. Returns a function that repairs what later faults need. */
  readonly make: (stack: Stack) => Promise<(() => unknown) | void>;
}

const DAY_MS = 86_400_000;
const texts = (count: number): string[] => Array.from({ length: count }, (_, n) => `text ${n}`);

/**
 * Faults whose alerts fire immediately. The later alerts about unusual use take the use during these
 * faults as their baseline.
 */
const immediate: readonly Fault[] = [
  {
    what: 'a client without the codec starts a workflow',
    alerts: ['PlaintextFound'],
    make: async ({ plainClient }) => {
      const input = { customer: 'Ana', items: [] };
      await plainClient.workflow.start('order', {
        workflowId: 'plain',
        taskQueue: TASK_QUEUE,
        args: [input],
      });
    },
  },
  {
    what: 'a bit of a stored payload is flipped',
    alerts: ['PayloadsModified'],
    make: async (stack) => {
      const [payload] = await stack.encrypt(['modified']);
      const data = Buffer.from(payload?.data ?? []);
      data[data.length - 1] = (data.at(-1) ?? 0) ^ 1;
      await stack.decode([{ ...payload, data }]);
    },
  },
  {
    what: 'a payload under a crypto key that the keys file does not list for the namespace',
    alerts: ['PayloadsRefused'],
    make: async (stack) => {
      await stack.decode(await stack.encrypt(['foreign'], keyOf('scheduled')));
    },
  },
  {
    what: '60 requests within seconds with a token that the issuer did not sign',
    alerts: ['RequestsDeniedBurst'],
    make: async (stack) => {
      for (let n = 0; n < 60; n += 1) await stack.decode([], 'not-a-token');
    },
  },
  {
    what: "the audit's volume is gone",
    alerts: ['AuditRefused'],
    make: async (stack) => {
      const payloads = await stack.encrypt(['without an audit']);
      const away = `${stack.auditFolder}-away`;
      await rename(stack.auditFolder, away);
      await stack.decode(payloads);
      return () => rename(away, stack.auditFolder);
    },
  },
  {
    what: "an administrator removes the codec server's role on the crypto key",
    alerts: ['CloudKmsPermissionDenied'],
    make: async (stack) => {
      const payloads = await stack.encrypt(['without a role', 'with the role again']);
      await revoke(stack.emulator, 'default');
      await stack.decode(payloads.slice(0, 1));
      return async () => {
        await grant(stack.emulator, 'default');
        await stack.decode(payloads.slice(1));
      };
    },
  },
  {
    what: "a worker's codec has a bug: it throws a TypeError when it encodes the result of a workflow task",
    alerts: ['WorkerRestarts'],
    make: async (stack) => {
      await stack.startBrokenWorker();
      const args = [{ customer: 'Ana', items: [] }];
      const options = { workflowId: 'broken', taskQueue: 'broken', args };
      await stack.clientOf('default').workflow.start('order', options);
    },
  },
  {
    what: 'the store of branch keys becomes writable by others, and a branch key is due for replacement',
    alerts: ['BranchKeyStoreFailing'],
    make: async (stack) => {
      await chmod(stack.storeFolder, 0o777);
      await stack.moveWorkerClock(1);
      return () => chmod(stack.storeFolder, 0o700);
    },
  },
];

/**
 * Faults of keys. So that these faults show without delay, the benchmark restarts the codec server, which checks keys
 * only at its start and every five minutes.
 */
const ofKeys: readonly Fault[] = [
  {
    what: 'a key version is disabled, another is scheduled for destruction, a third is 100 days old and not rotated, and the codec server may not see the state of a fourth',
    alerts: [
      'PrimaryVersionNotEnabled',
      'KeyVersionDestroyScheduled',
      'KeyRotationOverdue',
      'KeyStatesUnknown',
    ],
    make: async (stack) => {
      const { emulator } = stack;
      await createOverdueKey(emulator);
      await grant(emulator, 'overdue');
      await emulator.setVersionState(versionOf('disabled', 1), 'DISABLED');
      await emulator.rotate(keyOf('scheduled'));
      await emulator.setVersionState(versionOf('scheduled', 1), 'DESTROY_SCHEDULED');
      await revoke(emulator, 'hidden', 'cryptoKeyEncrypterDecrypter');
      await stack.restartCodecServer();
    },
  },
  {
    what: 'the version that encrypted the input of an open workflow is destroyed, and a scan finds the workflow',
    alerts: ['DestroyedVersionInUse'],
    make: async (stack) => {
      const { emulator } = stack;
      const options = { workflowId: 'needs-version-1', taskQueue: TASK_QUEUE, args: ['input'] };
      await stack.clientOf('destroyed').workflow.start('order', options);
      await emulator.rotate(keyOf('destroyed'));
      await emulator.setVersionState(versionOf('destroyed', 1), 'DESTROYED');
      await stack.scan();
    },
  },
  {
    what: 'the last scan started nine days ago',
    alerts: ['ScanReportOld'],
    make: async ({ reportFile }) => {
      const report: { started: string } = JSON.parse(await readFile(reportFile, 'utf8'));
      report.started = new Date(Date.now() - 9 * DAY_MS).toISOString();
      await writeFile(reportFile, JSON.stringify(report));
    },
  },
];

const ofUse: readonly Fault[] = [
  {
    what: 'a reader decrypts 600 payloads under 60 branch keys, after an hour (here a minute) with few',
    alerts: ['KmsCallsUnusual', 'DecryptionUnusual'],
    make: async (stack) => {
      const payloads = await stack.encrypt(texts(60));
      for (let n = 0; n < 10; n += 1) await stack.decode(payloads);
    },
  },
];

/** The stages of one outage of Cloud KMS, which finally lasts longer than a key may be used. */
const outages: readonly Fault[] = [
  {
    what: "Cloud KMS returns UNAVAILABLE when the worker's key is due (its clock is moved), and for branch keys that the codec server has not unwrapped",
    alerts: ['CloudKmsFailing', 'CloudKmsErrorRate', 'KmsCallsWaiting', 'CodecServerErrors'],
    make: async (stack) => {
      const payloads = await stack.encrypt(texts(6));
      stack.emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
      await stack.moveWorkerClock(2);
      const stopped = new AbortController();
      const readers = payloads.map((payload, n) => decodeUntil(stack, payload, n * 800, stopped.signal));
      return async () => {
        stopped.abort();
        await Promise.all(readers);
      };
    },
  },
  {
    what: 'Cloud KMS has not answered for 19 hours (the clock of the worker is moved)',
    alerts: ['AutonomyLow'],
    make: async (stack) => stack.moveWorkerClock(21),
  },
  {
    what: 'Cloud KMS has not answered for 25 hours, while an activity runs',
    alerts: ['WorkerNotReady', 'FailuresReplaced', 'KeysExhausted'],
    make: async (stack) => stack.moveWorkerClock(27),
  },
];

async function decodeUntil(
  stack: Stack,
  payload: Payload,
  delayMs: number,
  signal: AbortSignal,
): Promise<void> {
  await sleep(delayMs);
  while (!signal.aborted) await stack.decode([payload]);
}

/** All faults, in the order in which the benchmark causes them. */
export const faults: readonly Fault[] = [...immediate, ...ofKeys, ...ofUse, ...outages];

/** Returns the faults behind the given alerts, including the earlier stages of the outage. */
export function faultsBehind(wanted: readonly string[]): readonly Fault[] {
  const isWanted = ({ alerts }: Fault) => alerts.some((name) => wanted.includes(name));
  const stages = outages.slice(0, outages.findLastIndex(isWanted) + 1);
  return faults.filter((fault) => isWanted(fault) || stages.includes(fault));
}
