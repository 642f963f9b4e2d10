import { useQuery } from '@tanstack/react-query';
import type { CryptoHealth } from '@temporal-kms/codec-api';
import { healthQuery } from '../../api/queries.ts';
import type { Outcome } from '../../model/outcome.ts';
import { reasonTexts } from '../../model/reasons.ts';
import { useServices } from '../../state/services.tsx';
import styles from './health.module.css';

interface State {
  readonly outcome: Outcome;
  readonly text: string;
  readonly title: string;
}

function healthState(health: CryptoHealth | undefined, failed: boolean): State {
  if (failed) {
    return { outcome: 'failed', text: 'Server unreachable', title: 'The codec server doesn’t answer.' };
  }
  if (!health) return { outcome: 'neutral', text: 'Connecting', title: 'Asking the codec server.' };
  const name = health.kms.emulator ? 'KMS emulator' : 'KMS';
  const note = health.kms.emulator
    ? ' An emulator stands in for Cloud KMS: nothing is protected by Google.'
    : '';
  if (health.temporal.status === 'unavailable') {
    return {
      outcome: 'failed',
      text: 'Temporal unreachable',
      title: 'The codec server can’t reach Temporal.',
    };
  }
  switch (health.kms.status) {
    case 'ok':
      return {
        outcome: 'ok',
        text: `${name} healthy`,
        title: `The last call to Cloud KMS succeeded.${note}`,
      };
    case 'failing': {
      const reason = health.kms.reason ? reasonTexts[health.kms.reason].short : 'The last call failed';
      return { outcome: 'timed-out', text: `${name} failing`, title: `${reason}.${note}` };
    }
    default:
      return { outcome: 'neutral', text: name, title: `Cloud KMS hasn’t been asked yet.${note}` };
  }
}

/** Whether plaintext can be had right now, as far as the server knows. */
export function Health() {
  const { api } = useServices();
  const { data, isError } = useQuery(healthQuery(api));
  const { outcome, text, title } = healthState(data, isError);
  return (
    <span className={styles['health']} title={title}>
      <span className={styles['dot']} data-outcome={outcome} />
      <span>{text}</span>
    </span>
  );
}
