import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { escapeInvisible, type WorkflowSummary } from '@temporal-kms/codec-api';
import { clsx } from 'clsx';
import { CornerLeftUp, ExternalLink, MoveLeft, MoveRight } from 'lucide-react';
import { millisOf } from '@temporal-kms/histories/events';
import { useServices } from '../../session/services.tsx';
import { tip } from '../../ui/commands/commands.ts';
import { useCommands } from '../../ui/commands/registry.ts';
import { buttonClass } from '../../ui/controls/button.tsx';
import { CopyButton } from '../../ui/controls/copy-button.tsx';
import { formatDurationShort, formatTicking } from '../../ui/format/duration.ts';
import { plural } from '../../ui/format/number.ts';
import { shortRunId } from '../../ui/format/run-id.ts';
import { formatMoment } from '../../ui/format/time.ts';
import { Menu, MenuChoice } from '../../ui/overlays/menu.tsx';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { OutcomeChip, OutcomeGlyph } from '../../ui/text/outcome.tsx';
import { useRunsApi } from '../api.ts';
import { CompareButton } from '../compare/compare-button.tsx';
import { linkText, type RunLink, type RunRelation } from '../events/run-links.ts';
import { ExportButton } from '../export/export-button.tsx';
import styles from '../frame/run-header.module.css';
import { RunTitle } from '../frame/run-title.tsx';
import { outcomeOf, outcomeText } from '../outcome.ts';
import { runsQuery } from '../queries.ts';
import { useLineage } from '../relations/use-relations.ts';
import { openRun, RunAnchor } from '../run-link.tsx';
import { useRun, useRunNow } from '../run/run-context.tsx';
import { useUsual } from '../run/use-usual.ts';

/** The header of a run's page: workflow id, status, run, and a link to Temporal's Web UI. */
export function RunHeader() {
  const { config } = useServices();
  const { address, description } = useRun();
  const { namespace, workflowId, runId } = address;
  return (
    <div className={styles['header']}>
      <RunTitle address={address} />
      <CopyButton what="workflow id" text={() => workflowId} className={styles['copy']} />
      <StatusChip workflow={description.workflow} />
      <RunMenu />
      <CopyButton what="run id" text={() => runId} className={styles['copyRun']} />
      <Lineage />
      <UsualDuration />
      <span className="spacer" />
      <CompareButton className={styles['export']} textClassName={styles['exportText']} />
      <ExportButton />
      {config.temporalUiUrl ? (
        <a
          className={clsx(buttonClass({ look: 'ghost' }), styles['temporalLink'])}
          href={temporalUi(config.temporalUiUrl, namespace, workflowId, runId)}
          target="_blank"
          rel="noreferrer"
          data-tip="Open in Temporal’s Web UI"
        >
          <ExternalLink size={14} />
          <span className={styles['temporalText']}>Temporal</span>
        </a>
      ) : null}
    </div>
  );
}

/** Returns a run's address in Temporal's Web UI. */
const temporalUi = (base: string, namespace: string, workflowId: string, runId: string) => {
  const path = ['namespaces', namespace, 'workflows', workflowId, runId, 'history'];
  return `${base.replace(/\/+$/, '')}/${path.map(encodeURIComponent).join('/')}`;
};

/** A run's status and duration. The duration of an open run in a file ends at the run's last event. */
export function StatusChip({ workflow }: { workflow: WorkflowSummary }) {
  const { address, follow } = useRun();
  const current = useRunNow();
  const now = (address.file && follow.history.events.at(-1)?.at) ?? current;
  const outcome = outcomeOf(workflow.status);
  const started = millisOf(workflow.startTime);
  const closed = millisOf(workflow.closeTime);
  const took =
    started === undefined
      ? ''
      : closed === undefined
        ? formatTicking(now - started)
        : formatDurationShort(closed - started);
  return (
    <OutcomeChip outcome={outcome}>
      <span role="status" aria-label={outcomeText[outcome]}>
        {outcomeText[outcome]} {took}
      </span>
    </OutcomeChip>
  );
}

/** How long runs of this type usually take. */
function UsualDuration() {
  const usual = useUsual();
  const { type } = useRun().description.workflow;
  if (usual === undefined) return null;
  const { count, median, p95 } = usual;
  return (
    <span
      className={styles['usual']}
      data-tip={`Completed runs of ${escapeInvisible(type)}. 95 % took at most ${formatDurationShort(p95)}`}
    >
      median {formatDurationShort(median)} of the last {plural(count, 'run')}
    </span>
  );
}

const earlier: ReadonlySet<RunRelation> = new Set([
  'Continued from',
  'Retry of',
  'Cron run after',
  'Reset of',
]);

/** Links to the parent, and to the runs before and after this run. */
function Lineage() {
  const { address } = useRun();
  const links = useLineage().filter(({ relation }) => relation !== 'Root' && relation !== 'First run');
  const navigate = useNavigate();
  const parent = links.find(({ relation }) => relation === 'Parent');
  useCommands({ 'run.parent': parent && (() => openRun(navigate, parent)) });
  return (
    <nav className={styles['lineage']} aria-label="Related runs">
      {links.map((link) => (
        <RunAnchor
          key={JSON.stringify(link)}
          run={link}
          className={styles['relative']}
          {...(link === parent ? tip('run.parent') : {})}
        >
          <RelationIcon link={link} />
          <span className="t3">{link.relation}</span>{' '}
          <span className={link.relation === 'Parent' ? 'ellipsis' : 'mono'}>
            {link.relation === 'Parent'
              ? linkText(link, address.namespace)
              : link.runId && shortRunId(link.runId)}
          </span>
        </RunAnchor>
      ))}
    </nav>
  );
}

function RelationIcon({ link: { relation } }: { link: RunLink }) {
  const Icon = relation === 'Parent' ? CornerLeftUp : earlier.has(relation) ? MoveLeft : MoveRight;
  return <Icon size={14} aria-hidden="true" />;
}

function RunMenu() {
  const api = useRunsApi();
  const format = useTimeFormat();
  const navigate = useNavigate();
  const { address } = useRun();
  const { namespace, workflowId, runId } = address;
  const { data } = useQuery(runsQuery(api, namespace, workflowId));
  const runs = (data?.workflows ?? []).toSorted(
    (a, b) => (millisOf(b.startTime) ?? 0) - (millisOf(a.startTime) ?? 0),
  );
  const position = runs.findIndex((run) => run.runId === runId);
  const lineage = useLineage();
  const relationOf = (run: WorkflowSummary) => lineage.find((link) => link.runId === run.runId)?.relation;
  return (
    <Menu
      label="Run"
      className={styles['runs']}
      trigger={
        <>
          <span className={styles['run']}>{shortRunId(runId)}</span>
          <span className={clsx('t3', styles['which'])}>{whichRun(position, runs.length)}</span>
        </>
      }
    >
      <MenuChoice
        title={`Runs of ${escapeInvisible(workflowId)}`}
        value={runId}
        options={runs.map((run) => ({
          value: run.runId,
          text: <RunItem run={run} relation={relationOf(run)} />,
          note: run.startTime ? formatMoment(millisOf(run.startTime) ?? 0, format) : undefined,
        }))}
        onChange={(next) => {
          const params = { namespace, workflowId, runId: next };
          void navigate({ to: '/ns/$namespace/workflows/$workflowId/$runId', params });
        }}
      />
    </Menu>
  );
}

interface RunItemProps {
  readonly run: WorkflowSummary;
  readonly relation: RunRelation | undefined;
}

function RunItem({ run, relation }: RunItemProps) {
  const outcome = outcomeOf(run.status);
  return (
    <span className={styles['item']}>
      <OutcomeGlyph outcome={outcome} />
      <span className="sr-only">{outcomeText[outcome]}</span>
      <span className="mono">{run.runId}</span>
      {relation ? <span className="t3">{relation}</span> : null}
    </span>
  );
}

function whichRun(position: number, count: number): string {
  if (position < 0 || count === 1) return 'run';
  return position === 0 ? `latest of ${count} runs` : `run ${count - position} of ${count}`;
}
