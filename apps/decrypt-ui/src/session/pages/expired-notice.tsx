import { LogIn, RotateCw, TimerOff } from 'lucide-react';
import { useState } from 'react';
import { Button } from '../../ui/controls/button.tsx';
import { useServices } from '../services.tsx';
import styles from './expired-notice.module.css';

interface ExpiredNoticeProps {
  readonly message: string;
  /** Whether retrying may help without a new sign-in. */
  readonly retryable: boolean;
}

/**
 * Asks the person to sign in again. The page below the notice hides plaintext, but keeps the active row and the scroll
 * position. Requests wait until after the sign-in.
 */
export function ExpiredNotice({ message, retryable }: ExpiredNoticeProps) {
  const { session } = useServices();
  const [busy, setBusy] = useState(false);
  return (
    <div className={styles['notice']} role="alert">
      <span className={styles['icon']}>
        <TimerOff size={16} />
      </span>
      <div className={styles['text']}>
        <p className="strong">{message}</p>
        <p className="t2">
          Payloads are hidden until you sign in again. The page then continues where it was.
        </p>
      </div>
      <div className={styles['actions']}>
        <Button
          look="primary"
          onClick={() => {
            setBusy(true);
            void session.signInAgain().finally(() => setBusy(false));
          }}
        >
          {retryable ? <RotateCw size={14} /> : <LogIn size={14} />}
          {retryable ? 'Try again' : busy ? 'Open the window again' : 'Sign in again'}
        </Button>
        <Button onClick={() => void session.signOut()}>Sign out</Button>
      </div>
    </div>
  );
}
