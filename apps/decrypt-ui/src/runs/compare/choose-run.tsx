import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { escapeInvisible, type WorkflowSummary } from '@temporal-kms/codec-api';
import { millisOf } from '@temporal-kms/histories/events';
import { formatMoment } from '../../ui/format/time.ts';
import { Dialog } from '../../ui/overlays/dialog.tsx';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { OutcomeGlyph } from '../../ui/text/outcome.tsx';
import { useRunsApi } from '../api.ts';
import { outcomeOf, outcomeText } from '../outcome.ts';
import { runsOfTypeQuery, runsQuery } from '../queries.ts';
import { comparisonOf } from '../run-params.ts';
import { useRun } from '../run/run-context.tsx';
import styles from './choose-run.module.css';

/** A dialog that offers runs for a comparison: those with the same workflow id, and the latest of the same type. */
export function ChooseRun({ onClose }: { onClose: () => void }) {
  const api = useRunsApi();
  const { address, description } = useRun();
  const { namespace, workflowId, runId } = address;
  const { type } = description.workflow;
  const own = useQuery(runsQuery(api, namespace, workflowId));
  const like = useQuery(runsOfTypeQuery(api, namespace, type));
  const runs = (own.data?.workflows ?? []).filter((run) => run.runId !== runId);
  const others = (like.data?.workflows ?? []).filter((run) => run.workflowId !== workflowId);
  const waiting = own.isPending || like.isPending;
  const failure = own.error ?? like.error;
  return (
    <Dialog title="Compare with another run" open onOpenChange={(open) => !open && onClose()}>
      {failure ? <p role="alert">The runs could not be listed: {failure.message}</p> : null}
      {waiting ? <p className="t2">Loading the runs…</p> : null}
      {!waiting && !failure && runs.length + others.length === 0 ? (
        <p className="t2">Temporal has no other run with this workflow id or type.</p>
      ) : null}
      <Runs title={`Other runs of ${escapeInvisible(workflowId)}`} runs={runs} />
      <Runs title={`Latest runs of ${escapeInvisible(type)}`} runs={others} />
    </Dialog>
  );
}

function Runs({ title, runs }: { title: string; runs: readonly WorkflowSummary[] }) {
  const { address } = useRun();
  const format = useTimeFormat();
  if (runs.length === 0) return null;
  return (
    <section className={styles['runs']} aria-label={title}>
      <h3 className={styles['title']}>{title}</h3>
      <ul>
        {runs.map((run) => {
          const outcome = outcomeOf(run.status);
          const isSame = run.workflowId === address.workflowId;
          return (
            <li key={`${run.workflowId} ${run.runId}`}>
              <Link {...comparisonOf(address.namespace, address, run)} className={styles['link']}>
                <OutcomeGlyph outcome={outcome} />
                <span className="sr-only">{outcomeText[outcome]}</span>
                <span className="ellipsis">{escapeInvisible(isSame ? run.runId : run.workflowId)}</span>
                <span className={styles['when']}>{formatMoment(millisOf(run.startTime) ?? 0, format)}</span>
              </Link>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
