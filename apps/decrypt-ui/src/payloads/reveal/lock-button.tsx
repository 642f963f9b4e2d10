import { Lock } from 'lucide-react';
import { tip } from '../../ui/commands/commands.ts';
import { useCommands } from '../../ui/commands/registry.ts';
import { Button, type ButtonProps } from '../../ui/controls/button.tsx';
import { Countdown } from './countdown.tsx';
import { keepFocus } from './reveal-request.ts';
import { useReveals } from './reveals-context.tsx';

/**
 * Returns a function that hides a namespace's payloads. While payloads are shown, the Lock command also calls
 * this function.
 */
export function useLock(namespace: string, isShown: boolean): () => void {
  const reveals = useReveals();
  const lock = () => {
    keepFocus();
    reveals.lock(namespace);
  };
  useCommands({ 'payloads.lock': isShown ? lock : undefined });
  return lock;
}

interface LockButtonProps extends ButtonProps {
  /**
   * When the page hides the payloads automatically, in milliseconds since 1970. Infinity or undefined means
   * never.
   */
  readonly until?: number | undefined;
  /** The text before the time: `Hidden in`. */
  readonly text?: string;
}

/** A button that hides payloads, preceded by the time until the page hides the payloads automatically. */
export function LockButton({ until, text, ...button }: LockButtonProps) {
  return (
    <>
      {until !== undefined && Number.isFinite(until) ? (
        <>
          {text} <Countdown until={until} />
        </>
      ) : null}
      <Button {...tip('payloads.lock')} {...button}>
        <Lock size={button.size === 'small' ? 12 : 14} />
        Lock
      </Button>
    </>
  );
}
