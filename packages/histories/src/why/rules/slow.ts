import { groupByHead } from '../../events/groups.ts';
import { durationAt } from '../../events/proto-json.ts';
import type { PathKind, PathStep } from '../facts/critical-path.ts';
import type { Fact } from '../facts/finding.ts';
import type { WhyRun } from '../facts/run.ts';
import { endTime } from '../facts/sources.ts';
import { stepOf } from '../facts/step.ts';
import { isSlow } from '../facts/usual.ts';
import { counted, seconds } from '../facts/words.ts';

const kinds = ['work', 'queue', 'retry', 'idle'] as const satisfies readonly PathKind[];
const kindText: Readonly<Record<PathKind, string>> = {
  work: 'working',
  queue: 'waiting for a worker',
  retry: 'in failed attempts and between them',
  idle: 'idle',
};

const timeOf = (step: PathStep): number => kinds.reduce((sum, kind) => sum + step[kind], 0);

/**
 * Reports a run that took notably longer than completed runs of its type, and the step that took most of the
 * time.
 */
export function slow(run: WhyRun): Fact[] {
  const { usual } = run;
  const [start] = run.events;
  if (usual === undefined || start === undefined) return [];
  const took = endTime(run) - start.at;
  if (!isSlow(took, usual)) return [];
  const title = `Slower than usual: ${seconds(took)}, median ${seconds(usual.median)} of the last ${counted(usual.count, 'run')}`;
  const [longest] = usual.path?.steps.toSorted((a, b) => timeOf(b) - timeOf(a)) ?? [];
  if (longest === undefined) return [{ title }];
  const group = groupByHead(run.groups, longest.group);
  const isDelayed = durationAt(start.attributes, 'firstWorkflowTaskBackoff') !== undefined;
  const parts = kinds
    .filter((kind) => longest[kind] > 0)
    .toSorted((a, b) => longest[b] - longest[a])
    .map((kind) => `${seconds(longest[kind])} ${kindText[kind]}`);
  return [
    {
      title,
      ...(group && { ...stepOf(group, run), eventId: group.id }),
      detail:
        group === undefined
          ? `The run waited ${seconds(timeOf(longest))} for ${isDelayed ? 'its delayed start or for ' : ''}messages.`
          : `The longest step on the critical path: ${parts.join(', ')}.`,
    },
  ];
}
