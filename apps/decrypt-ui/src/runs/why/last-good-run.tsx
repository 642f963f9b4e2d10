import { useNavigate } from '@tanstack/react-router';
import { quoted } from '@temporal-kms/codec-api';
import { GitCompareArrows } from 'lucide-react';
import { useState } from 'react';
import { Button } from '../../ui/controls/button.tsx';
import { messageOf } from '../../ui/errors.ts';
import { useRunsApi } from '../api.ts';
import { comparisonOf } from '../run-params.ts';
import { useRun } from '../run/run-context.tsx';

/**
 * A button that compares the run with the latest completed run of its type. The page requests that run when the user
 * presses the button.
 */
export function CompareWithLastGood() {
  const api = useRunsApi();
  const navigate = useNavigate();
  const { address, description } = useRun();
  const { namespace } = address;
  const [text, setText] = useState<string>();

  async function compare() {
    setText('Searching…');
    try {
      const query = `WorkflowType = ${quoted(description.workflow.type)} AND ExecutionStatus = 'Completed'`;
      const { workflows } = await api.workflows(namespace, { query, pageSize: 2 });
      // The current run may itself be the latest completed run.
      const run = workflows.find(({ runId }) => runId !== address.runId);
      if (run) await navigate(comparisonOf(namespace, address, run));
      setText(run ? undefined : 'No completed run');
    } catch (error) {
      setText(`Not found: ${messageOf(error)}`);
    }
  }

  if (address.file) return null;
  return (
    <Button
      look="ghost"
      size="small"
      data-tip="Compare with the last completed run"
      onClick={() => void compare()}
    >
      <GitCompareArrows size={14} />
      <span aria-live="polite">{text ?? 'Last good run'}</span>
    </Button>
  );
}
