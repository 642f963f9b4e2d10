import { LogIn, RotateCw, TimerOff } from 'lucide-react';
import { useState } from 'react';
import { Button } from '../../ui/controls/button.tsx';
import { useServices } from '../services.tsx';
import styles from './expired-notice.module.css';

interface ExpiredNoticeProps {
  readonly message: string;
  /** Trying again may help, without the person. */
  readonly retryable: boolean;
}

/**
 * Asks the person to sign in again, over a page that stays as it is: without plaintext, at the same row and scroll
 * position. Requests wait and continue after the sign-in.
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
          Payloads are hidden until you sign in again. The page keeps its place and continues then.
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
