import type { ReasonCode } from '@temporal-kms/codec-api';
import { CircleAlert } from 'lucide-react';
import { explain } from '../payloads/explain-reason.ts';
import { reasonText } from '../payloads/reasons.ts';
import { formatClock } from '../ui/format/time.ts';
import { Notice } from '../ui/page/notice.tsx';
import { Table } from '../ui/page/table.tsx';
import { useTimeFormat } from '../ui/preferences/preferences.ts';
import { OutcomeGlyph } from '../ui/text/outcome.tsx';
import { Reason } from './key-failures.tsx';
import { keyPlace } from './key-health.ts';
import styles from './keys.module.css';
import { failureOf, type KeyTestState, type TestedKey } from './use-key-test.ts';

/** The result of the last key test. Renders nothing before the first test. */
export function KeyTestResult({ test }: { test: KeyTestState }) {
  const format = useTimeFormat();
  const { result, error } = test;
  if (error) {
    return (
      <div className={styles['notice']}>
        <Notice severity="error" icon={<CircleAlert size={14} />} title="The keys could not be tested">
          {error.message}
        </Notice>
      </div>
    );
  }
  if (!result) return null;
  return (
    <section className={styles['section']} aria-labelledby="test-title">
      <header className={styles['sectionHead']}>
        <h2 id="test-title">Test at {formatClock(Date.parse(result.time), format)}</h2>
        <span className="small t3">random bytes, in Cloud KMS itself, without a key in memory</span>
      </header>
      <Table
        className={styles['table']}
        headingId="test-title"
        columns={[
          'Key',
          'Result',
          'Version',
          ['Encrypt', styles['right']],
          ['Decrypt', styles['right']],
          ['What was tested', styles['rest']],
        ]}
      >
        {result.keys.map((key) => (
          <TestRow key={key.name} tested={key} namespace={result.namespace} />
        ))}
      </Table>
    </section>
  );
}

function TestRow({ tested, namespace }: { tested: TestedKey; namespace: string }) {
  const { name, version, check, encrypt, decrypt } = tested;
  const failure = failureOf(tested);
  return (
    <tr>
      <td data-tip={name}>{keyPlace(name).short}</td>
      <td>
        {failure === undefined ? (
          <span className={styles['state']}>
            <OutcomeGlyph outcome="ok" />
            Passed
          </span>
        ) : (
          <Reason
            code={failure}
            tip={explain(failure, { namespace, workflowId: '', key: { name, version } })}
          />
        )}
      </td>
      <td className="mono">{version === undefined ? '–' : `v${version}`}</td>
      <td className={styles['right']}>{stepText(encrypt)}</td>
      <td className={styles['right']}>{stepText(decrypt)}</td>
      <td className="t2">{testText(check, encrypt?.reason)}</td>
    </tr>
  );
}

function testText(check: TestedKey['check'], encrypt: ReasonCode | undefined): string {
  if (check === 'round_trip') return 'a round trip: encrypted and decrypted';
  return encrypt === undefined
    ? 'the permission to decrypt, with bytes that Cloud KMS refuses'
    : 'the permission to decrypt; this server lacks the permission to encrypt, which it needs only for /encode';
}

const stepText = (step: TestedKey['decrypt']) =>
  step === undefined
    ? '–'
    : step.reason === undefined
      ? `${Math.round(step.milliseconds)} ms`
      : reasonText(step.reason).title.toLowerCase();
