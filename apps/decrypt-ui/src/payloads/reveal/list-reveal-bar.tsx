import { escapeInvisible } from '@temporal-kms/codec-api';
import { Eye, LockOpen } from 'lucide-react';
import { Button } from '../../ui/controls/button.tsx';
import { Countdown } from './countdown.tsx';
import { LockButton } from './lock-button.tsx';
import { Line, Locked, revealed, useAnnouncements } from './reveal-bar.tsx';
import { askToReveal } from './reveal-request.ts';
import styles from './reveal.module.css';
import { useRevealed, useReveals } from './reveals-context.tsx';
import { type Grant, namespaceOf, needsJustification } from './reveals.ts';

/**
 * The line above a namespace's list of runs: which payloads are revealed and for how long, or that the person has
 * locked payloads that the namespace reveals automatically.
 */
export function ListRevealBar({ namespace }: { namespace: string }) {
  const reveals = useReveals();
  const grants = useRevealed((state) => state.grants);
  const isLocked = useRevealed(
    (state) => state.locked.has(namespace) && !needsJustification(state, namespace),
  );
  const own = grants.filter(({ target }) => namespaceOf(target) === namespace);
  useAnnouncements(own, own.length > 0);
  if (own.length > 0) {
    const until = Math.max(...own.map((grant) => grant.until));
    return (
      <Line
        open
        icon={<LockOpen size={14} />}
        title={revealed(own.map(nameOf))}
        action={
          <>
            {Number.isFinite(until) ? <Countdown until={until} /> : null}
            <LockButton namespace={namespace} className={styles['action']} />
          </>
        }
      />
    );
  }
  if (!isLocked) return null;
  const name = `all runs of ${escapeInvisible(namespace)}`;
  const target = { kind: 'namespace', namespace } as const;
  return (
    <Locked
      action={
        <Button
          look="crypto"
          className={styles['action']}
          onClick={() => askToReveal(reveals, { choices: [{ target, text: name, name }] })}
        >
          <Eye size={14} />
          Show payloads
        </Button>
      }
    />
  );
}

/** Returns a reveal's name for a page that shows many runs. */
const nameOf = ({ target, name }: Grant): string =>
  'namespace' in target ? name : `payloads of ${escapeInvisible(target.run.workflowId)}`;
