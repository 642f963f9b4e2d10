import { durationAt, enumAt, numberAt, textAt } from '../../events/proto-json.ts';
import type { Fact } from '../facts/finding.ts';
import { isOpen, type WhyRun } from '../facts/run.ts';
import { waitsAt } from '../facts/sources.ts';

/**
 * Reports a run for which Temporal has not scheduled a workflow task yet, because of a cron schedule, a start
 * delay, or the pause before the next attempt of the run.
 */
export function startDelayed(run: WhyRun): Fact[] {
  const [start] = run.events;
  const delay = durationAt(start?.attributes, 'firstWorkflowTaskBackoff');
  if (start === undefined || delay === undefined || !waitsAt(run)) return [];
  if (run.events.some(({ eventName }) => eventName === 'WorkflowTaskScheduled')) return [];
  return [
    {
      eventId: start.eventId,
      since: start.at,
      nextAt: isOpen(run) ? start.at + delay : undefined,
      detail: whyDelayed(start.attributes),
    },
  ];
}

function whyDelayed(attributes: unknown): string | undefined {
  const initiator = enumAt('CONTINUE_AS_NEW_INITIATOR_', attributes, 'initiator');
  const attempt = numberAt(attributes, 'attempt') ?? 1;
  if (initiator === 'RETRY') return `Attempt ${attempt - 1} of the run failed.`;
  const cron = textAt(attributes, 'cronSchedule');
  if (cron !== undefined) return `The cron schedule is ${cron}.`;
  return initiator === undefined ? 'The start request contains a delay.' : undefined;
}
