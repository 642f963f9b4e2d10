import { key } from '../../make/message.ts';
import { caseV2, KEY, NAMESPACE } from '../../make/v2.ts';
import { at, cut, inWorkflow, OTHER } from './setting.ts';

export const bound = [
  caseV2({
    name: 'refuses a message of another namespace, even under the same crypto key',
    why: 'An attacker who can write to Temporal’s store can move a message, but its namespace tag differs.',
    header: { namespace: OTHER },
    code: 'namespace_mismatch',
  }),
  caseV2({
    name: 'reports a truncated message rather than another namespace',
    why: 'The reader checks the whole length first.',
    header: { namespace: OTHER },
    tamper: cut(at.nonce + 20),
    code: 'malformed',
    asked: [],
  }),
  caseV2({
    name: 'does not accept a namespace because that namespace accepts this one',
    why: 'shipping accepts payments, but payments does not accept shipping.',
    header: { namespace: OTHER },
    keys: { namespaces: { [NAMESPACE]: { encrypt: KEY }, [OTHER]: { encrypt: KEY, accepts: [NAMESPACE] } } },
    code: 'namespace_mismatch',
  }),
  caseV2({
    name: 'refuses a message of another namespace under the default rule',
    why: 'The default rule provides keys, and accepts no other namespace.',
    header: { namespace: OTHER },
    keys: { default: { encrypt: KEY } },
    code: 'namespace_mismatch',
  }),
  caseV2({
    name: 'refuses a message of another workflow',
    why: 'It is bound to order-1, and read in order-2.',
    header: { workflowId: 'order-1' },
    context: inWorkflow('order-2'),
    code: 'workflow_mismatch',
  }),
  caseV2({
    name: 'refuses the message of another schedule in a scheduled run',
    why: 'The tag is neither that of the run nor that of the id without its suffix.',
    header: { workflowId: 'weekly' },
    context: inWorkflow('nightly-2026-11-24T02:00:00Z'),
    code: 'workflow_mismatch',
  }),
  caseV2({
    name: 'refuses a message of another run of the same schedule',
    why: 'Each run is a workflow. Only what the schedule names, and what a run hands to the next, is bound to the schedule.',
    header: { workflowId: 'nightly-2026-11-23T02:00:00Z' },
    context: inWorkflow('nightly-2026-11-24T02:00:00Z'),
    code: 'workflow_mismatch',
  }),
  caseV2({
    name: 'refuses a message of a run for the workflow id that its schedule names',
    why: 'The reader removes a suffix from the id of its context. It cannot remove one from a hash.',
    header: { workflowId: 'nightly-2026-11-23T02:00:00Z' },
    context: inWorkflow('nightly'),
    code: 'workflow_mismatch',
  }),
  caseV2({
    name: 'refuses a message for the id without both times if an id ends with two',
    why: 'Every run of the schedule nightly writes such messages, and this is a run of another schedule.',
    header: { workflowId: 'nightly' },
    context: inWorkflow('nightly-2026-11-24T02:00:00Z-2026-11-25T02:00:00Z'),
    code: 'workflow_mismatch',
  }),
  caseV2({
    name: 'refuses a message for an empty workflow id where the id consists of a time only',
    why: 'The id is never shortened to an empty one, which every such id would share.',
    header: { workflowId: '' },
    context: inWorkflow('-2026-11-24T02:00:00Z'),
    code: 'workflow_mismatch',
  }),
  caseV2({
    name: 'refuses a message whose workflow tag was hashed with the reader’s namespace, not its own',
    why: 'Under `accepts`, the tag contains the namespace for which the message was encrypted.',
    header: { namespace: OTHER, workflowId: 'order-1', workflowNamespace: NAMESPACE },
    keys: { namespaces: { [NAMESPACE]: { encrypt: KEY, accepts: [OTHER] } } },
    context: inWorkflow('order-1'),
    code: 'workflow_mismatch',
  }),
  caseV2({
    name: 'reports another namespace rather than another workflow',
    why: 'The reader checks the namespace tag first.',
    header: { namespace: OTHER, workflowId: 'order-1' },
    context: inWorkflow('order-2'),
    code: 'namespace_mismatch',
  }),
  caseV2({
    name: 'reports another workflow rather than a key that is not listed',
    why: 'The reader checks the workflow tag before the key id.',
    header: { workflowId: 'order-1', cryptoKey: key('attacker') },
    context: inWorkflow('order-2'),
    code: 'workflow_mismatch',
  }),
];

export const allowed = [
  caseV2({
    name: 'refuses a key that is not listed, without a call to Cloud KMS',
    why: 'Otherwise an attacker who can write to the store could choose the key of the calls to Cloud KMS.',
    header: { cryptoKey: key('attacker') },
    code: 'key_not_allowed',
  }),
  caseV2({
    name: 'refuses a key that is listed for another namespace only',
    why: 'Each namespace has its list of keys.',
    header: { cryptoKey: key('shipping') },
    keys: { namespaces: { [NAMESPACE]: { encrypt: KEY }, [OTHER]: { encrypt: key('shipping') } } },
    code: 'key_not_allowed',
  }),
  caseV2({
    name: 'refuses the name of a key version',
    why: 'The key id is a hash of the name of the crypto key, never of a version.',
    header: { cryptoKey: `${KEY}/cryptoKeyVersions/1` },
    code: 'key_not_allowed',
  }),
  caseV2({
    name: 'refuses a namespace for which nothing is configured',
    why: 'Without a default rule, a namespace that is not named has no keys.',
    context: { namespace: 'billing' },
    code: 'namespace_not_configured',
  }),
  caseV2({
    name: 'refuses the format if the namespace does not read it',
    why: '`reads` may omit v2, for a namespace with messages of an older codec only.',
    keys: { namespaces: { [NAMESPACE]: { encrypt: KEY, reads: ['envelope'] } } },
    code: 'format_not_allowed',
  }),
];
