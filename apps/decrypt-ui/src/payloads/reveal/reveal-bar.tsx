import { escapeInvisible } from '@temporal-kms/codec-api';
import { Eye, Lock, LockOpen } from 'lucide-react';
import { type ReactNode, useEffect, useRef } from 'react';
import { useMe } from '../../session/me.tsx';
import type { RunAddress } from '../../session/server/addresses.ts';
import { tip } from '../../ui/commands/commands.ts';
import { useCommands } from '../../ui/commands/registry.ts';
import { Button } from '../../ui/controls/button.tsx';
import { announce } from '../../ui/live-region.tsx';
import { Countdown } from './countdown.tsx';
import { LockButton } from './lock-button.tsx';
import { runScope } from './plaintext-cache.ts';
import { useCanReveal, useRunAccess, widerChoices } from './reveal-choices.ts';
import { askToReveal } from './reveal-request.ts';
import styles from './reveal.module.css';
import { useRevealed, useReveals } from './reveals-context.tsx';
import { type Grant, needsJustification, type RevealTarget } from './reveals.ts';

interface RevealBarProps {
  readonly run: RunAddress;
  /** The second run, on a page that compares two runs. */
  readonly other?: RunAddress;
  /** Whether the server has refused to decode payloads in view, although the page permits it. */
  readonly isRefused?: boolean;
}

/**
 * The line above a run whose payloads are not shown automatically. Says why payloads are hidden and how to
 * reveal them, or which payloads are revealed and for how long. Also defines the actions of the reveal
 * commands.
 */
export function RevealBar({ run, other = run, isRefused = false }: RevealBarProps) {
  const reveals = useReveals();
  const { can } = useMe();
  const { namespace } = run;
  const grants = useRevealed((state) => state.grants);
  const onDemand = useRevealed((state) => needsJustification(state, namespace));
  const status = useRunAccess(run);
  const canReveal = useCanReveal(run);
  const own = grants.filter(({ target }) => concerns(target, run) || concerns(target, other));
  const isOpen = status === 'open' || own.length > 0;
  useAnnouncements(own, status !== 'refused' && isOpen);

  const reveal = () => {
    const [whole, all] = widerChoices(run);
    askToReveal(reveals, { choices: onDemand ? [whole, all] : [all] });
  };
  useCommands({ 'reveal.run': canReveal ? reveal : undefined });

  // Without this permission, the page shows `Forbidden` below this line.
  if (!can(namespace, 'metadata')) return null;
  if (status === 'refused') {
    return (
      <Line icon={<Lock size={14} />} title="You can see metadata, not payloads.">
        Ask the operator of the codec server for the permission <code>decode</code> in the namespace{' '}
        {escapeInvisible(namespace)}.
      </Line>
    );
  }
  if (!onDemand && status === 'open' && own.length === 0) return null;
  return (
    <Controls
      namespace={namespace}
      own={own}
      isRefused={isRefused}
      onDemand={onDemand}
      locked={status === 'locked'}
      onReveal={reveal}
    />
  );
}

const concerns = (target: RevealTarget, run: RunAddress) =>
  'namespace' in target ? target.namespace === run.namespace : runScope(target.run) === runScope(run);

interface ControlsProps extends Required<Pick<RevealBarProps, 'isRefused'>> {
  readonly namespace: string;
  /** The reveals that belong to the run. */
  readonly own: readonly Grant[];
  readonly onDemand: boolean;
  /** Whether the whole run is locked. */
  readonly locked: boolean;
  readonly onReveal: () => void;
}

function Controls({ namespace, own, isRefused, onDemand, locked, onReveal }: ControlsProps) {
  if (own.length === 0) {
    const action = (
      <Button look="crypto" className={styles['action']} {...tip('reveal.run')} onClick={onReveal}>
        <Eye size={14} />
        {onDemand ? 'Reveal…' : 'Show payloads'}
      </Button>
    );
    return onDemand ? (
      <Line icon={<Lock size={14} />} title="Payloads are shown only with a justification." action={action}>
        The audit records it, with the payloads that you open.
      </Line>
    ) : (
      <Locked action={action} />
    );
  }
  const until = Math.max(...own.map((grant) => grant.until));
  return (
    <Line
      open={!isRefused}
      icon={isRefused ? <Lock size={14} /> : <LockOpen size={14} />}
      title={isRefused ? 'The codec server refused the reveal.' : revealed(own.map(({ name }) => name))}
      action={
        <>
          {Number.isFinite(until) && !isRefused ? <Countdown until={until} /> : null}
          {onDemand || locked ? (
            <Button
              look={isRefused ? 'crypto' : 'ghost'}
              className={styles['action']}
              {...tip('reveal.run')}
              onClick={onReveal}
            >
              <Eye size={14} />
              {onDemand ? (isRefused ? 'Try another reveal…' : 'Reveal more…') : 'Show payloads'}
            </Button>
          ) : null}
          <LockButton
            namespace={namespace}
            {...(isRefused && { look: 'ghost' })}
            className={styles['action']}
          />
        </>
      }
    />
  );
}

/** Returns a title with the names of the last two reveals, and how many more there are. */
export function revealed(all: readonly string[]): string {
  const names = [...new Set(all)].toReversed();
  const more = names.length - 2;
  return `Revealed: ${names.slice(0, 2).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Says that the person has locked payloads that the namespace would otherwise show. */
export const Locked = ({ action }: { action: ReactNode }) => (
  <Line icon={<Lock size={14} />} title="You have locked the payloads." action={action}>
    The page holds no plaintext.
  </Line>
);

interface LineProps {
  readonly icon: ReactNode;
  readonly title: string;
  readonly open?: boolean;
  readonly action?: ReactNode;
  readonly children?: ReactNode;
}

export function Line({ icon, title, open = false, action, children }: LineProps) {
  return (
    <section className={styles['line']} aria-label="Access to payloads" data-open={open ? '' : undefined}>
      <span className={styles['icon']} aria-hidden="true">
        {icon}
      </span>
      <p className={styles['text']}>
        <span className="strong">{title}</span> <span className="t2">{children}</span>
      </p>
      {action === undefined ? null : <span className={styles['actions']}>{action}</span>}
    </section>
  );
}

/** Screen readers are warned this many milliseconds before payloads are hidden. */
const WARNING = 60_000;

/** Announces to screen readers that payloads are hidden again, and warns them a minute earlier. */
export function useAnnouncements(grants: readonly Grant[], isOpen: boolean) {
  const was = useRef(isOpen);
  useEffect(() => {
    if (was.current && !isOpen) announce('Payloads are hidden.');
    was.current = isOpen;
  }, [isOpen]);
  const until = Math.max(...grants.map((grant) => grant.until));
  useEffect(() => {
    const left = until - Date.now() - WARNING;
    if (!Number.isFinite(left) || left <= 0) return undefined;
    const timer = setTimeout(() => announce('Payloads are hidden in one minute.'), left);
    return () => clearTimeout(timer);
  }, [until]);
}
