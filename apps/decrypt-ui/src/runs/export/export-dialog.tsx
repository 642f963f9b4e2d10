import { escapeInvisible, type ExportForm, exportFileName } from '@temporal-kms/codec-api';
import { CircleAlert, CircleCheck, Download, Lock, LockOpen } from 'lucide-react';
import { type ReactNode, useEffect, useId, useState } from 'react';
import { useStore } from 'zustand';
import { JustificationField, useJustification } from '../../payloads/reveal/justification.tsx';
import { useReadRunGrant, useRunGrant } from '../../payloads/reveal/reveal-choices.ts';
import { useMe } from '../../session/me.tsx';
import { Button } from '../../ui/controls/button.tsx';
import { StopButton } from '../../ui/controls/stop-button.tsx';
import { formatBytes, formatCount, plural } from '../../ui/format/number.ts';
import { announce } from '../../ui/live-region.tsx';
import { Dialog } from '../../ui/overlays/dialog.tsx';
import { Notice } from '../../ui/page/notice.tsx';
import { useRunsApi } from '../api.ts';
import { useRun } from '../run/run-context.tsx';
import styles from './export-dialog.module.css';
import { createExport, type Export, type ExportState } from './export-run.ts';
import { chooseTarget } from './export-target.ts';

interface ExportDialogProps {
  /** The export; undefined until the dialog has created it. */
  readonly exporting: Export | undefined;
  readonly onCreate: (exporting: Export) => void;
  readonly onClose: () => void;
}

const forms: readonly { readonly value: ExportForm; readonly title: string; readonly text: string }[] = [
  {
    value: 'readable',
    title: 'Readable',
    text: 'Decrypted. Payloads as plain JSON, for people and scripts.',
  },
  {
    value: 'decoded',
    title: 'Decoded',
    text: 'Decrypted. Temporal’s format, which a worker replays without the codec.',
  },
  {
    value: 'encoded',
    title: 'Encoded',
    text: 'As Temporal stores it: nothing is decrypted. A worker replays it with the codec.',
  },
];

/** A dialog that exports the run in one of three forms. Closing the dialog does not stop an export. */
export default function ExportDialog({ exporting, onCreate, onClose }: ExportDialogProps) {
  const api = useRunsApi();
  const { address } = useRun();
  useEffect(() => {
    if (!exporting) onCreate(createExport(api, address));
  }, [exporting, onCreate, api, address]);
  return exporting ? <Opened exporting={exporting} onClose={onClose} /> : null;
}

function Opened({ exporting, onClose }: { exporting: Export; onClose: () => void }) {
  const { address } = useRun();
  const state = useStore(exporting.store);
  const { can } = useMe();
  return (
    <Dialog title="Export history" open onOpenChange={(open) => !open && onClose()}>
      {!can(address.namespace, 'export') ? (
        <Refused namespace={address.namespace} />
      ) : state.status === 'running' ? (
        <Running state={state} onStop={exporting.stop} onClose={onClose} />
      ) : state.status === 'complete' ? (
        <Complete state={state} onMore={exporting.reset} onClose={onClose} />
      ) : (
        <Form exporting={exporting} state={state} onClose={onClose} />
      )}
    </Dialog>
  );
}

function Refused({ namespace }: { namespace: string }) {
  return (
    <Notice severity="warning" icon={<Lock size={14} />} title="You may not export histories here.">
      Ask the operator of the codec server for the permission <code>export</code> in the namespace{' '}
      {escapeInvisible(namespace)}.
    </Notice>
  );
}

interface FormProps {
  readonly exporting: Export;
  readonly state: ExportState;
  readonly onClose: () => void;
}

function Form({ exporting, state, onClose }: FormProps) {
  const { address, description, follow } = useRun();
  const { reveal } = useMe();
  const name = useId();
  const [form, setForm] = useState<ExportForm>(state.form);
  const { props, submit } = useJustification();
  const { historyLength, historySizeBytes } = description.workflow;
  const justified =
    form !== 'encoded' &&
    (reveal(address.namespace) === 'on-demand' || state.failure?.code === 'justification_required');
  // If the whole run is revealed, the person has already justified access to its plaintext.
  const revealed = useRunGrant(address);
  const readGrant = useReadRunGrant(address);
  const asked = justified && revealed?.justification === undefined;

  async function start() {
    const justification = asked ? submit() : justified ? revealed?.justification : undefined;
    if (asked && justification === undefined) return;
    const target = await chooseTarget(exportFileName(address, form));
    if (target === undefined) return;
    // If the reveal ended while the person was choosing the file, the form asks for a justification.
    if (justified && !asked && readGrant()?.id !== revealed?.id) {
      await target.discard();
      announce('Not exported: the payloads are hidden again.');
      return;
    }
    await exporting.start({ form, justification }, target);
    const end = exporting.store.getState();
    if (end.status === 'complete') announce(`Exported ${plural(end.events, 'event')}`);
  }

  return (
    <form
      className={styles['form']}
      autoComplete="off"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void start();
      }}
    >
      <Ended state={state} />
      <fieldset className={styles['forms']}>
        <legend className="sr-only">Form</legend>
        {forms.map(({ value, title, text }) => (
          <label key={value} className={styles['choice']} data-checked={form === value ? '' : undefined}>
            <input
              type="radio"
              name={name}
              value={value}
              checked={form === value}
              onChange={() => setForm(value)}
            />
            <span className="strong">{title}</span>
            <span className={styles['text']}>{text}</span>
          </label>
        ))}
      </fieldset>
      {asked ? <JustificationField {...props} /> : null}
      {justified && revealed?.justification !== undefined ? (
        <p className={styles['revealed']}>
          <LockOpen size={14} aria-hidden="true" />
          <span>
            Revealed: {revealed.name}. The audit records the export with the same justification,{' '}
            <q>{escapeInvisible(revealed.justification)}</q>.
          </span>
        </p>
      ) : null}
      <div className={styles['actions']}>
        <span className={styles['size']}>
          {plural(Math.max(historyLength, follow.history.events.length), 'event')},{' '}
          {formatBytes(historySizeBytes)} stored.{justified ? '' : ' The audit records the export.'}
        </span>
        <Button look="ghost" onClick={onClose}>
          Cancel
        </Button>
        <Button look={form === 'encoded' ? 'primary' : 'crypto'} type="submit">
          <Download size={14} />
          {state.status === 'idle' ? 'Export' : 'Export again'}
        </Button>
      </div>
    </form>
  );
}

/** Explains why the last export has no file. */
function Ended({ state: { status, failure, events } }: { state: ExportState }) {
  if (status === 'stopped') {
    return (
      <p className="t2" role="status">
        Stopped after {plural(events, 'event')}. No file was saved.
      </p>
    );
  }
  if (failure === undefined || failure.code === 'justification_required') return null;
  return (
    <Notice
      severity="error"
      icon={<CircleAlert size={14} />}
      title={titles[failure.code] ?? 'The export failed'}
    >
      {failure.message} {status === 'cut_off' ? 'The incomplete file was not kept.' : null}
    </Notice>
  );
}

const titles: Readonly<Partial<Record<string, string>>> = {
  forbidden: 'The codec server refused the export',
  unauthenticated: 'You are signed out',
  unreachable: 'The codec server cannot be reached',
  not_found: 'The run no longer exists',
  rate_limited: 'Too many requests to the codec server',
};

interface RunningProps {
  readonly state: ExportState;
  readonly onStop: () => void;
  readonly onClose: () => void;
}

function Running({ state: { events, bytes }, onStop, onClose }: RunningProps) {
  const { description, follow } = useRun();
  const all = Math.max(description.workflow.historyLength, follow.history.events.length, events);
  const share = all === 0 ? 0 : events / all;
  return (
    <div className={styles['form']}>
      <div
        role="progressbar"
        aria-label="Exporting"
        aria-valuenow={Math.round(share * 100)}
        className={styles['track']}
      >
        <i style={{ width: `${Math.max(share * 100, 2)}%` }} />
      </div>
      <div className={styles['actions']}>
        <span className={styles['size']}>
          {formatCount(events)} of {plural(all, 'event')}, {formatBytes(bytes)}
        </span>
        <Button look="ghost" onClick={onClose}>
          Hide
        </Button>
        <StopButton onClick={onStop} />
      </div>
    </div>
  );
}

interface CompleteProps {
  readonly state: ExportState;
  readonly onMore: () => void;
  readonly onClose: () => void;
}

function Complete({ state: { events, bytes, summary }, onMore, onClose }: CompleteProps) {
  const unreadable = Object.values(summary?.unreadable ?? {}).reduce((sum, count) => sum + count, 0);
  return (
    <div className={styles['form']}>
      <p className={styles['done']} role="status">
        <CircleCheck size={14} aria-hidden="true" />
        Saved {plural(events, 'event')}, {formatBytes(bytes)}.
      </p>
      {unreadable > 0 ? (
        <Line>
          {plural(unreadable, 'payload')} could not be decrypted. The file contains the reason in place of
          each.
        </Line>
      ) : null}
      <div className={styles['actions']}>
        <span className={styles['size']} />
        <Button look="ghost" onClick={onMore}>
          Another form
        </Button>
        <Button look="primary" onClick={onClose}>
          Done
        </Button>
      </div>
    </div>
  );
}

const Line = ({ children }: { children: ReactNode }) => <p className="t2">{children}</p>;
