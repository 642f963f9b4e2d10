import { useQueryClient } from '@tanstack/react-query';
import { reasonClass } from '@temporal-kms/codec-api';
import { RefreshCw, Unplug } from 'lucide-react';
import { useEffect } from 'react';
import { healthQuery } from '../../api/queries.ts';
import { Button } from '../../components/button.tsx';
import { Notice } from '../../components/notice.tsx';
import { plural } from '../../model/format/number.ts';
import { useDecoder, useFindings } from '../../payloads/payloads-context.tsx';
import { useServices } from '../../state/services.tsx';
import styles from './history-tab.module.css';

/** One word for what passes by itself, above all the payloads that wait for it. */
export function KmsNotice() {
  const { api } = useServices();
  const client = useQueryClient();
  const decoder = useDecoder();
  const findings = useFindings();
  const waiting = [...findings].filter(
    ([, { reason }]) => reason !== undefined && reasonClass(reason) === 'retryable',
  );
  const failing = waiting.length > 0;

  // The top bar need not wait for its next look.
  useEffect(() => {
    if (!failing) return undefined;
    const lookAgain = () => void client.invalidateQueries({ queryKey: healthQuery(api).queryKey });
    lookAgain();
    return lookAgain;
  }, [failing, client, api]);

  if (!failing) return null;
  const quota = waiting.every(([, { reason }]) => reason === 'kms_quota');
  return (
    <div className={styles['banner']}>
      <Notice
        outcome="timed-out"
        icon={<Unplug size={14} />}
        title={quota ? 'Cloud KMS refuses the rate' : 'Cloud KMS doesn’t answer'}
        action={
          <Button size="small" onClick={() => decoder.retry(waiting.map(([ref]) => ref))}>
            <RefreshCw size={12} />
            Retry now
          </Button>
        }
      >
        {plural(waiting.length, 'payload')} {waiting.length === 1 ? 'waits' : 'wait'} for it and{' '}
        {waiting.length === 1 ? 'is' : 'are'} asked for again. History, sizes and keys stay usable.
      </Notice>
    </div>
  );
}
