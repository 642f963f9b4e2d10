import { useQuery } from '@tanstack/react-query';
import { historyFrame } from '@temporal-kms/codec-api';
import { millisOf, type RunEvent } from '@temporal-kms/histories/events';
import { validate } from '../../session/server/client.ts';
import { type RunsApi, useRunsApi } from '../api.ts';
import type { RunAddress } from '../../session/server/addresses.ts';
import { useRun } from '../run/run-context.tsx';

/**
 * Requests the event that closed the current run, while `wanted` is true. A history arrives from its start,
 * but the failure is in its last event.
 */
export function useEndEvent(wanted: boolean): RunEvent | undefined {
  const api = useRunsApi();
  const { address, description } = useRun();
  const { historyLength } = description.workflow;
  const { data } = useQuery({
    queryKey: ['end', address.namespace, address.workflowId, address.runId],
    queryFn: ({ signal }) => endEvent(api, address, historyLength, signal),
    enabled: wanted && !address.file,
    staleTime: Infinity,
    // If this request fails, the page waits for the whole history, which contains the event, or says why the
    // history cannot be read.
    retry: false,
  });
  return data ?? undefined;
}

/** Returns the event with the given id, which is the last of a closed run; null if the server does not send it. */
async function endEvent(
  api: Pick<RunsApi, 'history'>,
  run: RunAddress,
  eventId: number,
  signal: AbortSignal,
): Promise<RunEvent | null> {
  const body = await api.history(run, { after: eventId - 1, live: false }, signal);
  const lines = (await new Response(body).text()).split('\n').filter(Boolean);
  const frames = lines.map((line) => validate(historyFrame, JSON.parse(line)));
  const events = frames.flatMap((frame) => (frame.type === 'events' ? frame.events : []));
  const event = events.find((candidate) => candidate.eventId === eventId);
  return event ? { ...event, at: millisOf(event.eventTime) ?? 0 } : null;
}
