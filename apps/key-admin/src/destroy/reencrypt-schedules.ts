import type { Connection } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { findPayloads, type Payload, type PayloadLocation } from '@temporal-kms/histories/payloads';
import { type KmsCodec, KmsCodecError, messageKey, type ReasonCode } from '@temporal-kms/kms-codec';
import {
  hidesReference,
  isStorageReference,
  type ObjectStorage,
  parseStorageReference,
} from '@temporal-kms/payload-storage';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { grpcCode, NOT_FOUND } from '../google/errors.ts';
import { readPayloadStart } from '../storage/payload-start.ts';

type NewWorkflow = temporal.api.workflow.v1.INewWorkflowExecutionInfo;
type ScheduleDescription = temporal.api.workflowservice.v1.DescribeScheduleResponse;
type Fields = Record<string, Payload>;

/** The outcome for a schedule whose messages may need a version that is being drained. */
export interface ReencryptedSchedule {
  readonly scheduleId: string;
  /**
   * `not possible`: only fields that the command does not change need the version. `changed meanwhile`:
   * another client changed the schedule during every attempt. Any other text is a reason code.
   */
  readonly outcome: 'done' | 'not possible' | 'changed meanwhile' | (string & {});
  /** The fields that still need the version, as paths in Temporal's description of the schedule. */
  readonly remaining: readonly string[];
  /**
   * The fields whose payload is in an object that needs the version, or may need it. The command does not
   * change objects.
   */
  readonly stored: readonly StoredField[];
}

interface StoredField {
  readonly path: string;
  /** Why the object could not be read; absent if the object was read and needs the version. */
  readonly reason?: ReasonCode;
}

/** Whether a path in `remaining` names a field that Temporal cannot change, such as the schedule's own memo. */
export const isFixed = (path: string): boolean => !path.startsWith('schedule.');

export interface Reencryption {
  readonly connection: Connection;
  readonly namespace: string;
  /** A codec of the namespace, which encrypts under the primary version. */
  readonly codec: KmsCodec;
  /**
   * Returns whether a message with this key version can stay unchanged. The version is undefined if the message names
   * no version.
   */
  readonly isCurrent: (keyId: string | undefined, version: number | undefined) => boolean;
  /** Reads the headers of objects in external storage. Without this reader, no object is read. */
  readonly storage?: Pick<ObjectStorage, 'locate' | 'readStart'> | undefined;
  /** Time between two reads of an updated schedule, in milliseconds. Default 500. */
  readonly pollMs?: number;
}

/** Maximum number of reads after an update, to wait until the schedule contains the update. */
const MAX_POLLS = 10;
/** Maximum number of attempts if other clients change the schedule. */
const MAX_ATTEMPTS = 5;
// https://grpc.io/docs/guides/status-codes/
const conflicts: ReadonlySet<number | undefined> = new Set([3, 9, 10]);
const CALL_MS = 30_000;

/**
 * Re-encrypts, under the current primary version, the input, memo and metadata of the workflows that schedules start.
 * Messages for which `isCurrent` returns true stay unchanged. Each update contains the conflict token with which the
 * schedule was read, so that no other client's change is lost. Plaintext never leaves the process's memory.
 */
export async function reencryptSchedules(request: Reencryption): Promise<ReencryptedSchedule[]> {
  const done: ReencryptedSchedule[] = [];
  for await (const scheduleId of scheduleIds(request)) {
    const { outcome, description } = await reencrypt(request, scheduleId);
    const left = await fieldsLeft(description ?? (await describe(request, scheduleId)), request);
    if (outcome === undefined && left.remaining.length + left.stored.length === 0) continue;
    done.push({ scheduleId, outcome: outcome ?? 'not possible', ...left });
  }
  return done;
}

/** @returns undefined if the schedule does not exist */
async function describe(
  { connection, namespace }: Reencryption,
  scheduleId: string,
): Promise<ScheduleDescription | undefined> {
  try {
    return await connection.withDeadline(Date.now() + CALL_MS, () =>
      connection.workflowService.describeSchedule({ namespace, scheduleId }),
    );
  } catch (error) {
    if (grpcCode(error) === NOT_FOUND) return undefined;
    throw error;
  }
}

/** Returns the messages and objects that cannot stay unchanged, in all fields that a scan counts. */
async function fieldsLeft(
  description: ScheduleDescription | undefined,
  request: Reencryption,
): Promise<Pick<ReencryptedSchedule, 'remaining' | 'stored'>> {
  const locations =
    description === undefined
      ? []
      : findPayloads('temporal.api.workflowservice.v1.DescribeScheduleResponse', description);
  const stored: StoredField[] = [];
  for (const location of locations) {
    const field = await storedField(location, request);
    if (field) stored.push(field);
  }
  const remaining = locations.filter(({ payload }) => !isCurrent(payload, request));
  return { remaining: remaining.map(({ path }) => path), stored };
}

/** @returns undefined if the payload is not a reference, or if its object need not be re-encrypted */
async function storedField(
  { path, payload: reference }: PayloadLocation,
  request: Reencryption,
): Promise<StoredField | undefined> {
  const { storage, namespace } = request;
  const notFollowed = { path, reason: 'external_reference' } as const;
  if (hidesReference(reference)) return notFollowed;
  if (!isStorageReference(reference)) return undefined;
  if (storage === undefined) return notFollowed;
  try {
    const object = storage.locate(namespace, parseStorageReference(reference));
    const { payload } = await readPayloadStart(storage, object);
    if (hidesReference(payload)) return notFollowed;
    return isCurrent(payload, request) ? undefined : { path };
  } catch (error) {
    if (error instanceof KmsCodecError) return { path, reason: error.code };
    throw error;
  }
}

async function* scheduleIds({ connection, namespace }: Reencryption): AsyncGenerator<string, void> {
  let nextPageToken: Uint8Array = new Uint8Array();
  do {
    const token = nextPageToken;
    const page = await connection.withDeadline(Date.now() + CALL_MS, () =>
      connection.workflowService.listSchedules({ namespace, maximumPageSize: 100, nextPageToken: token }),
    );
    for (const { scheduleId } of page.schedules) if (scheduleId) yield scheduleId;
    nextPageToken = page.nextPageToken;
  } while (nextPageToken.length > 0);
}

interface Attempted {
  /** The outcome; undefined if the schedule has no message to re-encrypt, or no longer exists. */
  readonly outcome?: string;
  /** The description of the schedule, if the last attempt did not change the schedule. */
  readonly description?: ScheduleDescription;
}

async function reencrypt(request: Reencryption, scheduleId: string): Promise<Attempted> {
  const { connection, namespace } = request;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    try {
      const description = await describe(request, scheduleId);
      if (description === undefined) return {};
      const { schedule, conflictToken } = description;
      const action = schedule?.action?.startWorkflow;
      if (!schedule || !action || payloadsOf(action).every((payload) => isCurrent(payload, request)))
        return { ...(attempt > 1 && { outcome: 'done' }), description };
      const startWorkflow = await reencryptAction(action, request);
      await connection.withDeadline(Date.now() + CALL_MS, () =>
        connection.workflowService.updateSchedule({
          namespace,
          scheduleId,
          schedule: { ...schedule, action: { ...schedule.action, startWorkflow } },
          conflictToken,
          identity: 'temporal-kms drain',
          requestId: randomUUID(),
        }),
      );
      if (await isStored(request, scheduleId)) return { outcome: 'done' };
    } catch (error) {
      if (error instanceof KmsCodecError) return { outcome: error.code };
      if (grpcCode(error) === NOT_FOUND) return {};
      if (!conflicts.has(grpcCode(error))) throw error;
    }
  }
  return { outcome: 'changed meanwhile' };
}

/**
 * Returns whether a schedule contains the update that was sent. Even after a successful call, the server's scheduler
 * drops an update whose conflict token differs from the schedule's token.
 */
async function isStored(request: Reencryption, scheduleId: string): Promise<boolean> {
  const { pollMs = 500 } = request;
  for (let poll = 1; poll <= MAX_POLLS; poll += 1) {
    const action = (await describe(request, scheduleId))?.schedule?.action?.startWorkflow;
    if (!action || payloadsOf(action).every((payload) => isCurrent(payload, request))) return true;
    await sleep(pollMs);
  }
  return false;
}

const payloadsOf = ({ input, memo, userMetadata }: NewWorkflow): Payload[] => [
  ...(input?.payloads ?? []),
  ...Object.values(memo?.fields ?? {}),
  ...[userMetadata?.summary, userMetadata?.details].filter((one) => one !== null && one !== undefined),
];

function isCurrent(payload: Payload, request: Reencryption): boolean {
  const { format, keyId, keyVersion } = messageKey(payload);
  // Plaintext and references stay unchanged: the command only changes the keys of encrypted payloads.
  return format === 'plain' || format === 'external' || request.isCurrent(keyId, keyVersion);
}

async function reencryptAction(action: NewWorkflow, request: Reencryption): Promise<NewWorkflow> {
  const { codec, namespace } = request;
  const context = { type: 'workflow' as const, namespace, workflowId: action.workflowId ?? '' };
  const again = async (payload: Payload): Promise<Payload> => {
    if (isCurrent(payload, request)) return payload;
    const { payload: decrypted } = await codec.decrypt(payload, context);
    // A proxy encrypted this reference. The codec does not encrypt references, so the update would store the reference
    // in plaintext.
    if (isStorageReference(decrypted))
      throw new KmsCodecError('external_reference', 'The message contains a reference to external storage');
    const [encrypted = payload] = await codec.encode([decrypted], context);
    return encrypted;
  };
  const { input, memo, userMetadata } = action;
  const fields: Fields = {};
  for (const [name, payload] of Object.entries(memo?.fields ?? {})) fields[name] = await again(payload);
  return {
    ...action,
    ...(input && { input: { payloads: await Promise.all((input.payloads ?? []).map(again)) } }),
    ...(memo && { memo: { fields } }),
    ...(userMetadata && {
      userMetadata: {
        ...(userMetadata.summary && { summary: await again(userMetadata.summary) }),
        ...(userMetadata.details && { details: await again(userMetadata.details) }),
      },
    }),
  };
}
