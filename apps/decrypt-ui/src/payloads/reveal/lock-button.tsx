import { Lock } from 'lucide-react';
import { tip } from '../../ui/commands/commands.ts';
import { Button, type ButtonProps } from '../../ui/controls/button.tsx';
import { Countdown } from './countdown.tsx';
import { useLock } from './use-lock.ts';

interface LockButtonProps extends Omit<ButtonProps, 'onClick'> {
  readonly namespace: string;
  /**
   * When the page hides the payloads automatically, in milliseconds since 1970. Infinity or undefined means
   * never.
   */
  readonly until?: number | undefined;
  /** The text before the time: `Hidden in`. */
  readonly text?: string;
}

/** A button that hides a namespace's payloads, preceded by the time until the page hides them automatically. */
export function LockButton({ namespace, until, text, ...button }: LockButtonProps) {
  const lock = useLock(namespace);
  return (
    <>
      {until !== undefined && Number.isFinite(until) ? (
        <>
          {text} <Countdown until={until} />
        </>
      ) : null}
      <Button {...tip('payloads.lock')} {...button} onClick={lock}>
        <Lock size={button.size === 'small' ? 12 : 14} />
        Lock
      </Button>
    </>
  );
}
